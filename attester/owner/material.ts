import { CodecError, equal } from "../../shared/bytes/index.ts";
import { type PrivateKey, privateKeyFromPkcs8, type SignatureScheme } from "../../shared/crypto/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import {
  type Certificate,
  type ChainVerdict,
  encodePublicKey,
  isSelfIssued,
  listedScheme,
  parsePem,
  printName,
  readCertificates,
  validateOwnerChain,
} from "../../shared/x509/index.ts";

/** What an owner issues with: its chain, root first, issuing CA last, and the key of the issuing CA. */
export interface OwnerMaterial {
  readonly chain: readonly Certificate[];
  readonly root: Certificate;
  readonly issuing: Certificate;
  readonly key: PrivateKey;
  /** How that key signs, by its certificate. */
  readonly scheme: SignatureScheme;
  /** Sentences about what a token without a calendar would not mind. */
  readonly warnings: readonly string[];
}

export type MaterialOutcome =
  | { readonly ok: true; readonly material: OwnerMaterial }
  | { readonly ok: false; readonly problem: string };

const failed = (problem: string): MaterialOutcome => ({ ok: false, problem });

/** The certificates of a chain file, or a sentence. */
function chainOf(file: Uint8Array): readonly Certificate[] | string {
  try {
    return readCertificates(file);
  } catch (error) {
    if (error instanceof CodecError) return `the chain is no PEM file of certificates: ${error.message}`;
    throw error;
  }
}

function keyOf(file: Uint8Array): PrivateKey | string {
  try {
    const [der, ...more] = parsePem(new TextDecoder("latin1").decode(file), "PRIVATE KEY");
    if (der === undefined || more.length > 0) {
      return "the key file must hold one PRIVATE KEY block (PKCS#8, unencrypted): openssl pkcs8 -topk8 -nocrypt makes it";
    }
    return privateKeyFromPkcs8(der) ?? "the key is neither RSA, P-256, P-384 nor Ed25519";
  } catch (error) {
    if (error instanceof CodecError) return `the key is no PEM file: ${error.message}`;
    throw error;
  }
}

/** A chain that is one, but sorted differently: how it has to stand. */
function disorderOf(chain: readonly Certificate[], verdict: ChainVerdict): string | undefined {
  if (verdict.ok && verdict.path[0] === chain.at(-1)) return undefined;
  const root = verdict.ok ? chain[0] : chain.find(isSelfIssued);
  const whole = root === undefined ? verdict : validateOwnerChain({ certificates: chain, root });
  if (!whole.ok) return undefined;
  const order = [...whole.path].reverse().map(({ subject }) => printName(subject));
  return `the chain must begin with the root, and the issuing CA must stand last: ${order.join("; then ")}`;
}

/** Checks that chain and key belong together. `today` (milliseconds since 1970) only makes warnings: tokens have no calendar. */
export function readMaterial(chainFile: Uint8Array, keyFile: Uint8Array, today: number): MaterialOutcome {
  const chain = chainOf(chainFile);
  if (typeof chain === "string") return failed(chain);
  const key = keyOf(keyFile);
  if (typeof key === "string") return failed(key);
  const [root] = chain;
  const issuing = chain.at(-1);
  if (root === undefined || issuing === undefined) return failed("the chain is empty");
  const big = chain.find(({ der }) => der.byteLength > Limit.CERTIFICATE_BYTES);
  if (big !== undefined) {
    const size = `${big.der.byteLength} bytes; a token takes ${Limit.CERTIFICATE_BYTES}`;
    return failed(`${printName(big.subject)} has ${size}`);
  }
  const verdict = validateOwnerChain({ certificates: chain, root });
  const disorder = disorderOf(chain, verdict);
  if (disorder !== undefined) return failed(disorder);
  if (!verdict.ok) return failed(`the chain must begin with the root and end with the issuing CA: ${verdict.detail}`);
  if (!equal(encodePublicKey(key), encodePublicKey(issuing.publicKey))) {
    return failed("the key is not the key of the last certificate in the chain");
  }
  const scheme = listedScheme(issuing.publicKeyInfo);
  if (scheme === undefined) {
    return failed(`${printName(issuing.subject)} lists its key for signatures that no token takes`);
  }
  const dated = validateOwnerChain({ certificates: chain, root, today });
  const warnings = dated.ok ? [] : [dated.detail];
  return { ok: true, material: { chain, root, issuing, key, scheme, warnings } };
}
