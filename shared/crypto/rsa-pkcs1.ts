import { constantTimeEqual, fromHex } from "../bytes/index.ts";
import { digestSize } from "./hash.ts";
import type { HashName, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { rsaPrivate, rsaPublic } from "./rsa-raw.ts";

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();

/** DigestInfo in front of the digest, RFC 8017 9.2 note 1. */
const PREFIXES: Readonly<Record<HashName, Uint8Array>> = {
  sha1: bytes("3021300906052b0e03021a05000414"),
  sha256: bytes("3031300d060960864801650304020105000420"),
  sha384: bytes("3041300d060960864801650304020205000430"),
  sha512: bytes("3051300d060960864801650304020305000440"),
};

const MIN_PADDING = 8;

/** EMSA-PKCS1-v1_5, RFC 8017 9.2: 0, 1, padding, 0, DigestInfo; undefined when the digest has the wrong size or the modulus is too short. */
function emsa(hash: HashName, digest: Uint8Array, size: number): Uint8Array | undefined {
  const prefix = PREFIXES[hash];
  const fill = size - prefix.byteLength - digest.byteLength - 3;
  if (digest.byteLength !== digestSize(hash) || fill < MIN_PADDING) return undefined;
  const encoded = new Uint8Array(size);
  encoded[1] = 1;
  encoded.fill(0xff, 2, 2 + fill);
  encoded.set(prefix, 3 + fill);
  encoded.set(digest, size - digest.byteLength);
  return encoded;
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
