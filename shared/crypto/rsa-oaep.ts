import { concat, constantTimeEqual } from "../bytes/index.ts";
import type { Random } from "../ports/index.ts";
import { digest, digestSize } from "./hash.ts";
import type { HashName, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { mask } from "./mgf1.ts";
import { rsaPrivate, rsaPublic } from "./rsa-raw.ts";

/** RSAES-OAEP, RFC 8017 7.1.1, MGF1 with the same hash. Undefined when the message is too long or the key is none. */
export function rsaOaepEncrypt(
  key: RsaPublicKey,
  hash: HashName,
  label: Uint8Array,
  message: Uint8Array,
  random: Random,
): Uint8Array | undefined {
  const hashBytes = digestSize(hash);
  const fill = key.n.byteLength - message.byteLength - 2 * hashBytes - 2;
  if (fill < 0) return undefined;
  const block = concat(digest(hash, label), new Uint8Array(fill), Uint8Array.of(1), message);
  const seed = random.bytes(hashBytes);
  const maskedBlock = mask(hash, seed, block);
  return rsaPublic(key, concat(Uint8Array.of(0), mask(hash, maskedBlock, seed), maskedBlock));
}

/** RFC 8017 7.1.2; one answer, undefined, for everything that is wrong with the ciphertext. */
export function rsaOaepDecrypt(
  key: RsaPrivateKey,
  hash: HashName,
  label: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array | undefined {
  const hashBytes = digestSize(hash);
  const encoded = rsaPrivate(key, ciphertext);
  if (encoded === undefined || encoded.byteLength < 2 * hashBytes + 2) return undefined;
  const maskedBlock = encoded.subarray(1 + hashBytes);
  const seed = mask(hash, maskedBlock, encoded.subarray(1, 1 + hashBytes));
  const block = mask(hash, seed, maskedBlock);
  const body = block.subarray(hashBytes);
  const one = body.findIndex((byte) => byte !== 0);
  const labelFits = constantTimeEqual(block.subarray(0, hashBytes), digest(hash, label));
  const wellFormed = encoded[0] === 0 && one >= 0 && body[one] === 1;
  return labelFits && wellFormed ? body.slice(one + 1) : undefined;
}
