import { concat, constantTimeEqual } from "../bytes/index.ts";
import { digestSize, digest as hashOf } from "./hash.ts";
import type { HashName, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { mask } from "./mgf1.ts";
import { rsaModulusBits } from "./rsa-check.ts";
import { rsaPrivate, rsaPublic } from "./rsa-raw.ts";

const TRAILER = 0xbc;
const EIGHT_ZEROS = new Uint8Array(8);

/** emLen, and which bits of the first byte may be set: the encoding has one bit less than the modulus (RFC 8017 8.1.1). */
function shape(key: RsaPublicKey): { readonly size: number; readonly firstByte: number } {
  const bits = rsaModulusBits(key) - 1;
  const size = Math.ceil(bits / 8);
  return { size, firstByte: 0xff >> (8 * size - bits) };
}

/** RSASSA-PSS over a digest, MGF1 with the same hash; the salt comes from the caller. RFC 8017 8.1.1. RangeError when digest or salt do not fit. */
export function rsaPssSign(key: RsaPrivateKey, hash: HashName, digest: Uint8Array, salt: Uint8Array): Uint8Array {
  const { size, firstByte } = shape(key);
  const fill = size - salt.byteLength - digestSize(hash) - 2;
  if (digest.byteLength !== digestSize(hash) || fill < 0) throw new RangeError("digest or salt do not fit the key");
  const h = hashOf(hash, EIGHT_ZEROS, digest, salt);
  const masked = mask(hash, h, concat(new Uint8Array(fill), Uint8Array.of(1), salt));
  masked[0] = (masked[0] ?? 0) & firstByte;
  const padding = new Uint8Array(key.n.byteLength - size);
  const signature = rsaPrivate(key, concat(padding, masked, h, Uint8Array.of(TRAILER)));
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
  const block = rsaPublic(key, signature);
  const hashBytes = digestSize(hash);
  if (block === undefined || digest.byteLength !== hashBytes) return false;
  const { size, firstByte } = shape(key);
  const encoded = block.subarray(block.byteLength - size);
  if (size < block.byteLength && block[0] !== 0) return false;
  if (size < hashBytes + 2 || encoded.at(-1) !== TRAILER) return false;
  const masked = encoded.subarray(0, -hashBytes - 1);
  const h = encoded.subarray(-hashBytes - 1, -1);
  const salt = saltOf(masked, mask(hash, h, masked), firstByte);
  if (salt === undefined || (saltLength !== undefined && salt.byteLength !== saltLength)) return false;
  return constantTimeEqual(hashOf(hash, EIGHT_ZEROS, digest, salt), h);
}

/** What stands behind zeros and a one (steps 6 to 11); undefined when they do not. */
function saltOf(masked: Uint8Array, data: Uint8Array, firstByte: number): Uint8Array | undefined {
  if (((masked[0] ?? 0) & ~firstByte) !== 0) return undefined;
  data[0] = (data[0] ?? 0) & firstByte;
  const one = data.findIndex((byte) => byte !== 0);
  return data[one] === 1 ? data.subarray(one + 1) : undefined;
}
