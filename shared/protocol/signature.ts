import { concat } from "../bytes/index.ts";
import { digest, ecdsaSign, ecdsaVerifyMessage, rsaPkcs1Sign, rsaPkcs1Verify } from "../crypto/index.ts";
import type { EcPublicKey, PrivateKey, RsaPublicKey } from "../crypto/keys.ts";
import { Limit } from "./limits.ts";

/**
 * A signature as it travels in signed objects and evidence. RSA: RSASSA-PKCS1-v1_5 with SHA-256, the bare integer.
 * P-256: ECDSA with SHA-256, r and s of 32 bytes each, one behind the other.
 */
export function verifySignature(key: RsaPublicKey | EcPublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (key.type === "rsa") return rsaPkcs1Verify(key, "sha256", digest("sha256", message), signature);
  const size = key.x.byteLength;
  if (signature.byteLength !== 2 * size) return false;
  const scalars = { r: signature.subarray(0, size), s: signature.subarray(size) };
  return ecdsaVerifyMessage(key, "sha256", message, scalars);
}

/** RangeError for a key that signs nothing here. */
export function makeSignature(key: PrivateKey, message: Uint8Array): Uint8Array {
  const hashed = digest("sha256", message);
  if (key.type === "rsa") return rsaPkcs1Sign(key, "sha256", hashed);
  if (key.type !== "ec") throw new RangeError(`a key of type ${key.type} signs no object`);
  const { r, s } = ecdsaSign(key, hashed);
  return concat(r, s);
}

/** What is signed for a signed object: the received bytes of `data`, then the nonce where the exchange has one. */
export function signedBytes(data: Uint8Array, nonce: Uint8Array = new Uint8Array()): Uint8Array {
  if (nonce.byteLength !== 0 && nonce.byteLength !== Limit.NONCE_BYTES) {
    throw new RangeError(`a nonce has ${Limit.NONCE_BYTES} bytes, not ${nonce.byteLength}`);
  }
  return concat(data, nonce);
}
