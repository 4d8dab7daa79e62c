import { createHash, createHmac, type Hash, hash as hashOnce } from "node:crypto";
import { concat } from "../bytes/index.ts";
import type { HashName } from "./keys.ts";

const SIZES: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/** Up to here, copying parts together takes less than handing them over one by one. */
const SHORT_BYTES = 2_048;

/** What a hash takes at once, FIPS 180-4, figure 1. */
const BLOCKS: Readonly<Record<HashName, number>> = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 };
const [IPAD, OPAD] = [0x36, 0x5c];

function areShort(parts: readonly Uint8Array[]): boolean {
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.byteLength;
  return sizeBytes <= SHORT_BYTES;
}

/** A key of HMAC, no longer than a block. */
function padded(key: Uint8Array, alg: HashName, pad: number): Uint8Array {
  const block = new Uint8Array(BLOCKS[alg]).fill(pad);
  for (let i = 0; i < key.byteLength; i++) block[i] = (key[i] ?? 0) ^ pad;
  return block;
}

/** Bytes of a digest. */
export function digestSize(alg: HashName): number {
  return SIZES[alg];
}

/** The hash of all parts, one after the other. FIPS 180-4. */
export function digest(alg: HashName, ...parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return new Uint8Array(hashOnce(alg, only, "buffer"));
  if (areShort(parts)) return new Uint8Array(hashOnce(alg, concat(...parts), "buffer"));
  const hash = createHash(alg);
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** A hash that is fed piece by piece and finished once. */
export interface RunningDigest {
  update(data: Uint8Array): void;
  finish(): Uint8Array;
  /** Another one that goes on from here by itself. */
  copy(): RunningDigest;
}

export function createDigest(alg: HashName): RunningDigest {
  return running(createHash(alg));
}

function running(hash: Hash): RunningDigest {
  return {
    update(data) {
      hash.update(data);
    },
    finish: () => new Uint8Array(hash.digest()),
    copy: () => running(hash.copy()),
  };
}

/** RFC 2104 over all parts, one after the other. What is short is hashed twice here: OpenSSL's HMAC takes several times longer to set up. */
export function hmac(alg: HashName, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  if (areShort(parts)) {
    const block = key.byteLength > BLOCKS[alg] ? digest(alg, key) : key;
    return digest(alg, padded(block, alg, OPAD), digest(alg, padded(block, alg, IPAD), ...parts));
  }
  const mac = createHmac(alg, key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}
