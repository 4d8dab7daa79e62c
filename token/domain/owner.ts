import { CodecError, equal } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { CertChain, Limit } from "../../shared/protocol/index.ts";
import {
  type Certificate,
  parseCertificate,
  type SubjectPublicKeyInfo,
  validateChain,
  validateOwnerChain,
} from "../../shared/x509/index.ts";
import { isOwnKey, type TokenIdentity } from "./identity.ts";
import { accept, type Outcome, refuse, type TokenRefusal } from "./reasons.ts";
import type { RememberingStore } from "./remembering.ts";
import type { Store } from "./store.ts";

const CERTIFICATE_KEY = "token-certificate";
const CHAIN_KEY = "owner-chain";

/** The owner's chain from the issuing CA upwards, the root last. */
export interface OwnerChain {
  readonly path: readonly Certificate[];
}

/** Judges the chain an owner sent: one or two CAs below exactly the configured root. */
export function judgeOwnerChain(
  body: Uint8Array,
  root: Certificate | undefined,
  today: number | undefined,
): Outcome<OwnerChain, TokenRefusal> {
  if (root === undefined) return refuse("no-owner-root");
  try {
    const certificates = decodeCbor(CertChain, body, "cert_chain").certs.map((der) => parseCertificate(der));
    const verdict = validateOwnerChain({ certificates, root, today });
    if (!verdict.ok) return refuse("owner-chain", `${verdict.reason}: ${verdict.detail}`, verdict.reason);
    return accept({ path: verdict.path });
  } catch (error) {
    if (error instanceof CodecError) return refuse("owner-answer-malformed", error.message);
    throw error;
  }
}

/** Judges the certificate that the owner issued: for this token's key, below the chain that was accepted. */
export function judgeTokenCertificate(
  der: Uint8Array,
  { path }: OwnerChain,
  identity: TokenIdentity,
  today: number | undefined,
): Outcome<Certificate, TokenRefusal> {
  if (der.byteLength > Limit.CERTIFICATE_BYTES) {
    return refuse("owner-answer-malformed", `a certificate of ${der.byteLength} bytes`);
  }
  let leaf: Certificate;
  try {
    leaf = parseCertificate(der);
  } catch (error) {
    if (error instanceof CodecError) return refuse("owner-answer-malformed", error.message);
    throw error;
  }
  const { publicKey } = leaf;
  if (publicKey.type !== "ed25519" || !isOwnKey(identity, publicKey.key)) return refuse("foreign-key");
  const root = path.at(-1);
  const roots = root === undefined ? [] : [root];
  const verdict = validateChain({ leaf, intermediates: path.slice(0, -1), roots, purpose: "token", today });
  if (!verdict.ok) return refuse("token-certificate", `${verdict.reason}: ${verdict.detail}`, verdict.reason);
  const [, issuer] = verdict.path;
  const [first] = path; // whose key administers the token
  if (issuer === undefined || first === undefined || !equal(issuer.der, first.der)) {
    return refuse("token-certificate", "another CA of the chain issued it than its first", "untrusted-root");
  }
  return accept(leaf);
}

/** One commit makes the token provisioned: its certificate and the owner's chain. */
export function storeProvisioning(store: Store, certificate: Certificate, chain: OwnerChain): "done" | "storage-full" {
  const certs = chain.path.map(({ der }) => der);
  return store.commit(
    new Map([
      [CERTIFICATE_KEY, certificate.der],
      [CHAIN_KEY, encodeCbor(CertChain, { certs })],
    ]),
  );
}

/** Asked for at next to every request. */
export function provisionedIn(store: RememberingStore): () => boolean {
  const stored = store.remembered((key) => store.get(key));
  return () => stored(CERTIFICATE_KEY) !== undefined;
}

/** The key of the CA that issued this token's certificate, as it is listed: whose it is may administer the token. Undefined before it is provisioned. */
export function issuingKeyIn(store: Store): SubjectPublicKeyInfo | undefined {
  return ownerChainIn(store)[0]?.publicKeyInfo;
}

/** Issuing CA first, root last; empty before the token is provisioned. */
export function ownerChainIn(store: Store): readonly Certificate[] {
  const chain = store.get(CHAIN_KEY);
  return chain === undefined ? [] : decodeCbor(CertChain, chain, CHAIN_KEY).certs.map((der) => parseCertificate(der));
}
