import { createHash, createHmac, type Hash, hash as hashOnce } from "node:crypto";
import { concat } from "../bytes/index.ts";
import type { HashName } from "./keys.ts";

const SIZES: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/** Up to here, copying parts together takes less than handing them over one by one. */
const SHORT_BYTES = 2_048;

/** Bytes of a digest. */
export function digestSize(alg: HashName): number {
  return SIZES[alg];
}

/** The hash of all parts, one after the other. FIPS 180-4. */
export function digest(alg: HashName, ...parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return new Uint8Array(hashOnce(alg, only, "buffer"));
  let sizeBytes = 0;
  for (const part of parts) sizeBytes += part.byteLength;
  if (sizeBytes <= SHORT_BYTES) return new Uint8Array(hashOnce(alg, concat(...parts), "buffer"));
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

/** RFC 2104 over all parts, one after the other. */
export function hmac(alg: HashName, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac(alg, key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}
