import { concat, constantTimeEqual, fromHex } from "../bytes/index.ts";
import { digestSize } from "./hash.ts";
import type { HashName, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { rsaPrivate, rsaPublic } from "./rsa-raw.ts";

/** DigestInfo in front of the digest, RFC 8017 9.2 note 1. */
const PREFIXES: Readonly<Record<HashName, string>> = {
  sha1: "3021300906052b0e03021a05000414",
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

const MIN_PADDING = 8;

/** EMSA-PKCS1-v1_5, RFC 8017 9.2; undefined when the digest has the wrong size or the modulus is too short. */
function emsa(hash: HashName, digest: Uint8Array, size: number): Uint8Array | undefined {
  const info = concat(fromHex(PREFIXES[hash]) ?? new Uint8Array(), digest);
  const fill = size - info.byteLength - 3;
  if (digest.byteLength !== digestSize(hash) || fill < MIN_PADDING) return undefined;
  return concat(Uint8Array.of(0, 1), new Uint8Array(fill).fill(0xff), Uint8Array.of(0), info);
}

/** RSASSA-PKCS1-v1_5 over a digest, RFC 8017 8.2.1. RangeError when digest or key do not fit the hash. */
export function rsaPkcs1Sign(key: RsaPrivateKey, hash: HashName, digest: Uint8Array): Uint8Array {
  const encoded = emsa(hash, digest, key.n.byteLength);
  const signature = encoded === undefined ? undefined : rsaPrivate(key, encoded);
  if (signature === undefined)
    throw new RangeError(`a ${digest.byteLength}-byte digest cannot be signed as ${hash} with this key`);
  return signature;
}

/** The encoding is made anew and compared whole (RFC 8017 8.2.2), so nothing can hide in a padding that was only parsed. */
export function rsaPkcs1Verify(key: RsaPublicKey, hash: HashName, digest: Uint8Array, signature: Uint8Array): boolean {
  const expected = emsa(hash, digest, key.n.byteLength);
  const got = rsaPublic(key, signature);
  return expected !== undefined && got !== undefined && constantTimeEqual(expected, got);
}
