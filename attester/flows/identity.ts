import { CodecError, encode, equal, utf8 } from "../../shared/bytes/index.ts";
import { encodeCbor } from "../../shared/cbor/index.ts";
import type { PublicKey } from "../../shared/crypto/index.ts";
import type { CertificateFetcher, Log } from "../../shared/ports/index.ts";
import { CertChain } from "../../shared/protocol/index.ts";
import { publicKeyOf, Tpm2bPublic } from "../../shared/tpm/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { aikKindOf, type EkKind, type TpmClient, type TpmKey } from "../tpm/index.ts";
import { collectEkChain, parsed } from "./ek-chain.ts";

/** The EK with its certificates. */
export interface Endorsement {
  readonly ek: TpmKey;
  /** CBOR `{"certs": [...]}`. */
  readonly ekChain: Uint8Array;
}

/** What an attester is to a token: its EK with certificates, and the AIK that it signs with. */
export interface Identity extends Endorsement {
  readonly aik: TpmKey;
  /** TPM2B_PUBLIC. */
  readonly aikPublic: Uint8Array;
}

/** The TPM cannot be what an attester needs; the message is a sentence for people. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
}

export interface EndorsementOptions {
  readonly tpm: TpmClient;
  readonly key: EkKind;
  readonly log: Log;
  /** Issuers of the EK certificate from files. */
  readonly issuers?: readonly Certificate[] | undefined;
  readonly fetcher?: CertificateFetcher | undefined;
}

export interface IdentityOptions extends EndorsementOptions {
  readonly profile: "compat" | "strict";
}

const KEY_WORDS = { rsa: "RSA 2048", ecc: "P-256" } as const;

/** EK and AIK at their handles, made when missing, and the chain of the EK. Rejects with IdentityError, or as the TPM client does. */
export async function prepareIdentity(options: IdentityOptions): Promise<Identity> {
  const { tpm, profile, key } = options;
  const aikKind = aikKindOf(profile, key);
  if (aikKind === undefined) {
    throw new IdentityError("Profile compat knows the reference's RSA key only: --key ecc needs --profile strict");
  }
  const endorsement = await prepareEndorsement(options);
  const aik = await tpm.ensureAik(aikKind, endorsement.ek);
  return { ...endorsement, aik, aikPublic: encode(Tpm2bPublic, aik.publicArea) };
}

/** The EK at its handle, made when missing, and its chain. Rejects with IdentityError, or as the TPM client does. */
export async function prepareEndorsement(options: EndorsementOptions): Promise<Endorsement> {
  const { tpm, key, log } = options;
  const leaf = await ekCertificate(options);
  const ek = await tpm.ensureEk(key);
  const certified = parsed(leaf, "the EK certificate", log)?.publicKey;
  if (certified !== undefined && !samePublicKey(certified, publicKeyOf(ek.publicArea))) {
    log.write("warn", "The EK certificate in the TPM is for another key than its EK: tokens will refuse this platform");
  }
  const known = [...(await chainInNv(options)), ...(options.issuers ?? [])];
  const certs = await collectEkChain(leaf, { known, fetcher: options.fetcher, log });
  return { ek, ekChain: chainMessage(certs) };
}

async function ekCertificate({ tpm, key }: EndorsementOptions): Promise<Uint8Array> {
  const leaf = await fromNv(() => tpm.readEkCertificate(key), "The EK certificate in the TPM");
  if (leaf === undefined) {
    throw new IdentityError(
      `The TPM has no EK certificate for ${KEY_WORDS[key]}: its vendor left it out. ` +
        "A software TPM that keeps its state gets one with: fobnail tpm manufacture --tpm emulator:DIR --out DIR",
    );
  }
  return leaf;
}

async function chainInNv({ tpm, log }: EndorsementOptions): Promise<readonly Certificate[]> {
  try {
    const chain = await tpm.readEkChain();
    return chain.flatMap((der) => parsed(der, "a certificate in the TPM", log) ?? []);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    log.write("warn", `The certificates in the TPM are not used: ${error.message}`);
    return [];
  }
}

async function fromNv<T>(read: () => Promise<T>, what: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CodecError)
      throw new IdentityError(`${what} is malformed: ${error.message}`, { cause: error });
    throw error;
  }
}

function chainMessage(certs: readonly Uint8Array[]): Uint8Array {
  try {
    return encodeCbor(CertChain, { certs });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new IdentityError(`The EK certificates do not fit a message: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function samePublicKey(a: PublicKey, b: PublicKey | undefined): boolean {
  const parts = (key: PublicKey | undefined): readonly Uint8Array[] => {
    if (key === undefined) return [];
    if (key.type === "rsa") return [key.n, utf8(String(key.e))];
    return key.type === "ec" ? [utf8(key.curve), key.x, key.y] : [key.key];
  };
  const [own, other] = [parts(a), parts(b)];
  return own.length === other.length && own.every((part, i) => equal(part, other[i] ?? new Uint8Array(0)));
}
