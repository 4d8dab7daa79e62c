import { concat, encode, u32be } from "../bytes/index.ts";
import { digest, digestSize } from "./hash.ts";
import type { HashName } from "./keys.ts";

/** MGF1, RFC 8017 B.2.1. */
function mgf1(hash: HashName, seed: Uint8Array, size: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0; i * digestSize(hash) < size; i++) parts.push(digest(hash, seed, encode(u32be, i)));
  return concat(...parts).subarray(0, size);
}

/** `data` XOR MGF1(seed). */
export function mask(hash: HashName, seed: Uint8Array, data: Uint8Array): Uint8Array {
  const stream = mgf1(hash, seed, data.byteLength);
  return data.map((byte, i) => byte ^ (stream[i] ?? 0));
}
