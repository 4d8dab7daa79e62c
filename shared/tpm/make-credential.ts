/** Credential protection, the verifier's half: Part 1, clause 24, and annexes B.10.4 (RSA) and C.6.4 (ECC). */
import { concat, encode, utf8 } from "../bytes/index.ts";
import { aesCfbEncrypt, ecdh, generateEcKey, hmac, kdfa, kdfe, rsaOaepEncrypt } from "../crypto/index.ts";
import type { HashName, RsaPublicKey, TpmEcPublicKey } from "../crypto/keys.ts";
import type { Random } from "../ports/index.ts";
import { Tpm2bDigest, Tpm2bEncryptedSecret, Tpm2bIdObject } from "./buffers.ts";
import { TpmAlg } from "./constants.ts";
import { hashNameOf } from "./hash.ts";
import { publicKeyOf } from "./keys.ts";
import { TpmsEccPoint, type TpmtPublic } from "./public.ts";
import { TpmsIdObject } from "./sensitive.ts";

const LABEL = "IDENTITY";
const NONE = new Uint8Array(0);
const HASH_BITS: Readonly<Record<HashName, number>> = { sha1: 160, sha256: 256, sha384: 384, sha512: 512 };

export interface Credential {
  /** TPM2B_ID_OBJECT, its 2-byte size included. */
  readonly idObject: Uint8Array;
  /** TPM2B_ENCRYPTED_SECRET, its 2-byte size included. */
  readonly encSecret: Uint8Array;
}

interface Seed {
  readonly seed: Uint8Array;
  readonly encrypted: Uint8Array;
}

/**
 * Seals `secret` so that only the TPM that holds the EK gives it back, and only for a loaded object with that Name.
 * Undefined when the EK cannot do that: not RSA or ECC, no AES-CFB, unknown name algorithm or curve, a point off the curve.
 * `secret` is at most as long as the EK's name digest, or RangeError.
 */
export function makeCredential(
  ekPublic: TpmtPublic,
  objectName: Uint8Array,
  secret: Uint8Array,
  random: Random,
): Credential | undefined {
  const hash = hashNameOf(ekPublic.nameAlg);
  const key = publicKeyOf(ekPublic);
  const keyBits = storageKeyBits(ekPublic);
  if (hash === undefined || key === undefined || keyBits === undefined) return undefined;
  if (secret.byteLength * 8 > HASH_BITS[hash])
    throw new RangeError(`a secret of ${secret.byteLength} bytes is too long`);
  const made = key.type === "rsa" ? rsaSeed(key, hash, keyBits, random) : eccSeed(key, hash, random);
  if (made === undefined) return undefined;
  const content = protect(made.seed, hash, keyBits, objectName, secret);
  return { idObject: encode(Tpm2bIdObject, content), encSecret: encode(Tpm2bEncryptedSecret, made.encrypted) };
}

/** Bits of the EK's AES-CFB key; undefined when it has none that we compute. */
function storageKeyBits(ek: TpmtPublic): number | undefined {
  if (ek.type !== TpmAlg.RSA && ek.type !== TpmAlg.ECC) return undefined;
  const symmetric = ek.parameters.symmetric;
  return symmetric.algorithm === TpmAlg.AES && symmetric.mode === TpmAlg.CFB && symmetric.keyBits === 128
    ? symmetric.keyBits
    : undefined;
}

/** The seed is as long as the EK's symmetric key: TCG EK Credential Profile, 2.1.5.1. The label goes in with its final zero. */
function rsaSeed(key: RsaPublicKey, hash: HashName, keyBits: number, random: Random): Seed | undefined {
  const seed = random.bytes(keyBits / 8);
  const encrypted = rsaOaepEncrypt(key, hash, utf8(`${LABEL}\0`), seed, random);
  return encrypted === undefined ? undefined : { seed, encrypted };
}

function eccSeed(key: TpmEcPublicKey, hash: HashName, random: Random): Seed | undefined {
  const ephemeral = generateEcKey(random, key.curve);
  const z = ecdh(ephemeral, key);
  if (z === undefined) return undefined;
  const seed = kdfe(hash, z, LABEL, ephemeral.x, key.x, HASH_BITS[hash]);
  return { seed, encrypted: encode(TpmsEccPoint, { x: ephemeral.x, y: ephemeral.y }) };
}

function protect(seed: Uint8Array, hash: HashName, keyBits: number, name: Uint8Array, secret: Uint8Array): Uint8Array {
  const key = kdfa(hash, seed, "STORAGE", name, NONE, keyBits);
  const encIdentity = aesCfbEncrypt(key, new Uint8Array(16), encode(Tpm2bDigest, secret));
  const hmacKey = kdfa(hash, seed, "INTEGRITY", NONE, NONE, HASH_BITS[hash]);
  const integrityHMAC = hmac(hash, hmacKey, concat(encIdentity, name));
  return encode(TpmsIdObject, { integrityHMAC, encIdentity });
}
