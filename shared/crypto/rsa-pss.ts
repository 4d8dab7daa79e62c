import { concat, constantTimeEqual } from "../bytes/index.ts";
import { digestSize, digest as hashOf } from "./hash.ts";
import type { HashName, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { mask } from "./mgf1.ts";
import { rsaPrivate, rsaPublic } from "./rsa-raw.ts";

const TRAILER = 0xbc;
const EIGHT_ZEROS = new Uint8Array(8);

/** The modulus of every key here has a multiple of eight bits with the top bit set, so emBits is one less: one bit to clear. */
const TOP_BIT = 0x80;

/** RSASSA-PSS over a digest, MGF1 with the same hash; the salt comes from the caller. RFC 8017 8.1.1. */
export function rsaPssSign(key: RsaPrivateKey, hash: HashName, digest: Uint8Array, salt: Uint8Array): Uint8Array {
  const size = key.n.byteLength;
  const fill = size - salt.byteLength - digestSize(hash) - 2;
  if (digest.byteLength !== digestSize(hash) || fill < 0) throw new RangeError("digest or salt do not fit the key");
  const h = hashOf(hash, EIGHT_ZEROS, digest, salt);
  const masked = mask(hash, h, concat(new Uint8Array(fill), Uint8Array.of(1), salt));
  masked[0] = (masked[0] ?? 0) & ~TOP_BIT;
  const signature = rsaPrivate(key, concat(masked, h, Uint8Array.of(TRAILER)));
  if (signature === undefined) throw new RangeError("the encoded digest is not below the modulus");
  return signature;
}

/** EMSA-PSS-VERIFY, RFC 8017 9.1.2. Without `saltLength` any salt is accepted. */
export function rsaPssVerify(
  key: RsaPublicKey,
  hash: HashName,
  digest: Uint8Array,
  signature: Uint8Array,
  saltLength?: number,
): boolean {
  const encoded = rsaPublic(key, signature);
  const hashBytes = digestSize(hash);
  if (encoded === undefined || digest.byteLength !== hashBytes || encoded.byteLength < hashBytes + 2) return false;
  const masked = encoded.subarray(0, -hashBytes - 1);
  const h = encoded.subarray(-hashBytes - 1, -1);
  if (encoded.at(-1) !== TRAILER || ((masked[0] ?? TOP_BIT) & TOP_BIT) !== 0) return false;
  const block = mask(hash, h, masked);
  block[0] = (block[0] ?? 0) & ~TOP_BIT;
  const one = block.findIndex((byte) => byte !== 0);
  if (one < 0 || block[one] !== 1) return false;
  const salt = block.subarray(one + 1);
  if (saltLength !== undefined && salt.byteLength !== saltLength) return false;
  return constantTimeEqual(hashOf(hash, EIGHT_ZEROS, digest, salt), h);
}
