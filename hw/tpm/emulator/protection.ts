import { CodecError, concat, constantTimeEqual, decode, encode, rest, struct } from "../../../shared/bytes/index.ts";
import {
  aesCfbDecrypt,
  aesCfbEncrypt,
  digestSize,
  ecdh,
  type HashName,
  hmac,
  kdfa,
  kdfe,
  rsaOaepDecrypt,
} from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import {
  hashNameOf,
  Tpm2bDigest,
  Tpm2bSensitive,
  TpmRc,
  TpmsEccPoint,
  type TpmtSensitive,
} from "../../../shared/tpm/index.ts";
import { privateKeyOf } from "./key-material.ts";
import { type KeyObject, sensitiveOf } from "./object.ts";
import { refuse } from "./refusal.ts";

/** What leaves the TPM sealed, and secrets that come in sealed: Part 1, 22 to 24 and annexes B.10 and C.6. */

const KEY_BITS = 128;
const BLOCK = 16;
const NONE = new Uint8Array(0);

/** TPM2B_PRIVATE's content: integrity, then IV and the encrypted TPM2B_SENSITIVE (Part 1, 22.3 to 22.5). */
const Private = struct("private", { integrity: Tpm2bDigest, encrypted: rest });
const Encrypted = struct("encrypted", { iv: Tpm2bDigest, sensitive: rest });

export function sealSensitive(
  parent: KeyObject,
  name: Uint8Array,
  sensitive: TpmtSensitive,
  random: Random,
): Uint8Array {
  const hash = nameHash(parent);
  const seed = sensitiveOf(parent).seedValue;
  const iv = random.bytes(BLOCK);
  const sealed = aesCfbEncrypt(storageKey(hash, seed, name), iv, encode(Tpm2bSensitive, sensitive));
  const encrypted = encode(Encrypted, { iv, sensitive: sealed });
  return encode(Private, { integrity: integrity(hash, seed, encrypted, name), encrypted });
}

/** Refuses with INTEGRITY what this parent did not seal for an object of this name. */
export function openSensitive(parent: KeyObject, name: Uint8Array, sealed: Uint8Array): TpmtSensitive {
  const hash = nameHash(parent);
  const seed = sensitiveOf(parent).seedValue;
  const encrypted = checkIntegrity(hash, seed, name, sealed);
  try {
    const { iv, sensitive } = decode(Encrypted, encrypted);
    return decode(Tpm2bSensitive, aesCfbDecrypt(storageKey(hash, seed, name), iv, sensitive));
  } catch (error) {
    if (error instanceof CodecError) refuse(TpmRc.INTEGRITY);
    throw error;
  }
}

/** The secret in a TPM2B_ID_OBJECT's content: Part 1, 24.4. */
export function openCredential(key: KeyObject, seed: Uint8Array, name: Uint8Array, idObject: Uint8Array): Uint8Array {
  const hash = nameHash(key);
  const encrypted = checkIntegrity(hash, seed, name, idObject);
  try {
    return decode(Tpm2bDigest, aesCfbDecrypt(storageKey(hash, seed, name), new Uint8Array(BLOCK), encrypted));
  } catch (error) {
    if (error instanceof CodecError) refuse(TpmRc.INTEGRITY);
    throw error;
  }
}

/**
 * The seed or salt in a TPM2B_ENCRYPTED_SECRET: annexes B.10 and C.6. `label` without its final zero. RSA that does not decrypt
 * is TPM_RC_FAILURE, as libtpms has it; the TPM goes on.
 */
export function openSecret(key: KeyObject, label: string, secret: Uint8Array): Uint8Array {
  const hash = nameHash(key);
  const privateKey = privateKeyOf(key);
  if (privateKey.type === "rsa") {
    if (secret.byteLength !== privateKey.n.byteLength) refuse(TpmRc.SIZE);
    const opened = rsaOaepDecrypt(privateKey, hash, new TextEncoder().encode(`${label}\0`), secret);
    if (opened === undefined || opened.byteLength > digestSize(hash)) refuse(TpmRc.FAILURE);
    return opened;
  }
  const point = unmarshalled(() => decode(TpmsEccPoint, secret));
  const z = ecdh(privateKey, {
    type: "ec",
    curve: privateKey.curve,
    x: padded(point.x, privateKey.x.byteLength),
    y: padded(point.y, privateKey.x.byteLength),
  });
  if (z === undefined) refuse(TpmRc.ECC_POINT);
  return kdfe(hash, z, label, point.x, privateKey.x, digestSize(hash) * 8);
}

/** What the integrity HMAC covers. */
function checkIntegrity(hash: HashName, seed: Uint8Array, name: Uint8Array, sealed: Uint8Array): Uint8Array {
  const { integrity: stated, encrypted } = unmarshalled(() => decode(Private, sealed));
  if (!constantTimeEqual(stated, integrity(hash, seed, encrypted, name))) refuse(TpmRc.INTEGRITY);
  return encrypted;
}

function unmarshalled<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError)
      refuse(/too many|is not within/.test(error.problem) ? TpmRc.SIZE : TpmRc.INSUFFICIENT);
    throw error;
  }
}

function padded(coordinate: Uint8Array, size: number): Uint8Array {
  if (coordinate.byteLength > size) refuse(TpmRc.ECC_POINT);
  return concat(new Uint8Array(size - coordinate.byteLength), coordinate);
}

function nameHash({ area }: KeyObject): HashName {
  const hash = hashNameOf(area.nameAlg);
  if (hash === undefined) throw new RangeError("an object with an unknown name algorithm was loaded");
  return hash;
}

function storageKey(hash: HashName, seed: Uint8Array, name: Uint8Array): Uint8Array {
  return kdfa(hash, seed, "STORAGE", name, NONE, KEY_BITS);
}

function integrity(hash: HashName, seed: Uint8Array, encrypted: Uint8Array, name: Uint8Array): Uint8Array {
  return hmac(hash, kdfa(hash, seed, "INTEGRITY", NONE, NONE, digestSize(hash) * 8), encrypted, name);
}
