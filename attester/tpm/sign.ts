/** Signatures over data, by restricted keys too: Part 1, 31.4 and Part 3, 20.2. */
import { digest } from "../../shared/crypto/index.ts";
import {
  commands,
  hashNameOf,
  TpmAlg,
  TpmLimit,
  TpmRh,
  TpmSt,
  type TpmtSignature,
  type TpmtTkHashcheck,
} from "../../shared/tpm/index.ts";
import { flushQuietly } from "./cleanup.ts";
import { isRestricted, signingScheme, type TpmKey } from "./objects.ts";
import type { TpmRunner } from "./runner.ts";

const NONE = new Uint8Array(0);
/** Says nothing: for keys that sign whatever they are given. */
const NULL_TICKET: TpmtTkHashcheck = { tag: TpmSt.HASHCHECK, hierarchy: TpmRh.NULL, digest: NONE };

export interface TpmHashed {
  readonly digest: Uint8Array;
  /** The TPM's word that it made the digest itself, of data that does not begin with TPM_GENERATED_VALUE. */
  readonly ticket: TpmtTkHashcheck;
}

/** Hashes in the TPM, which then knows what it is signing. The hierarchy is not NULL, or the ticket would be empty. */
export async function hashInTpm(tpm: TpmRunner, hashAlg: number, data: Uint8Array): Promise<TpmHashed> {
  if (data.byteLength > TpmLimit.DIGEST_BUFFER) return hashInSequence(tpm, hashAlg, data);
  const { response } = await tpm.run(commands.Hash, { parameters: { data, hashAlg, hierarchy: TpmRh.OWNER } });
  return { digest: response.outHash, ticket: response.validation };
}

/** TPM2_SequenceComplete takes the sequence object away; when it does not come to that, it is flushed. */
async function hashInSequence(tpm: TpmRunner, hashAlg: number, data: Uint8Array): Promise<TpmHashed> {
  const { handle } = await tpm.run(commands.HashSequenceStart, { parameters: { auth: NONE, hashAlg } });
  try {
    let at = 0;
    for (; data.byteLength - at > TpmLimit.DIGEST_BUFFER; at += TpmLimit.DIGEST_BUFFER) {
      const buffer = data.subarray(at, at + TpmLimit.DIGEST_BUFFER);
      await tpm.run(commands.SequenceUpdate, { handles: [handle], parameters: { buffer } });
    }
    const { response } = await tpm.run(commands.SequenceComplete, {
      handles: [handle],
      parameters: { buffer: data.subarray(at), hierarchy: TpmRh.OWNER },
    });
    return { digest: response.result, ticket: response.validation };
  } catch (error) {
    await flushQuietly(tpm, handle);
    throw error;
  }
}

/**
 * Signs `data` with SHA-256, or the hash of the key's own scheme. A restricted key gets data hashed by the TPM, and refuses what
 * begins with TPM_GENERATED_VALUE (TPM_RC_TICKET); any other key gets a digest.
 */
export async function signData(tpm: TpmRunner, key: TpmKey, data: Uint8Array): Promise<TpmtSignature> {
  const hashAlg = signingHash(key);
  const hashed = isRestricted(key.publicArea) ? await hashInTpm(tpm, hashAlg, data) : hashHere(hashAlg, data);
  const { response } = await tpm.run(commands.Sign, {
    handles: [key.handle],
    parameters: { digest: hashed.digest, inScheme: signingScheme(key), validation: hashed.ticket },
  });
  return response.signature;
}

function hashHere(hashAlg: number, data: Uint8Array): TpmHashed {
  const name = hashNameOf(hashAlg);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${hashAlg.toString(16)} is no hash known here`);
  return { digest: digest(name, data), ticket: NULL_TICKET };
}

/** The hash that a key signs with. */
function signingHash(key: TpmKey): number {
  const { type } = key.publicArea;
  if (type !== TpmAlg.RSA && type !== TpmAlg.ECC) return TpmAlg.SHA256;
  const { scheme } = key.publicArea.parameters;
  return "hashAlg" in scheme ? scheme.hashAlg : TpmAlg.SHA256;
}
