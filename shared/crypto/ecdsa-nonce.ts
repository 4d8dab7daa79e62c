import { concat } from "../bytes/index.ts";
import { curveOrder, fieldSize } from "./ec.ts";
import { digestSize, hmac } from "./hash.ts";
import { toBigInt, toBytes } from "./integer.ts";
import type { CurveName, EcPrivateKey, HashName } from "./keys.ts";

/** As long as the order, so one block of HMAC is one candidate. */
const NONCE_HASH: Readonly<Record<CurveName, HashName>> = { "P-256": "sha256", "P-384": "sha384" };

/** A digest as a number of at most as many bits as the order has: the leftmost ones of a longer digest. RFC 6979, 2.3.2. */
export function digestNumber(curve: CurveName, digest: Uint8Array): bigint {
  return toBigInt(digest.subarray(0, fieldSize(curve)));
}

/** HMAC_DRBG over key and digest, RFC 6979, 3.2: each number lies in 1..order-1 and is another one. */
export function ecdsaNonces({ curve, d }: EcPrivateKey, digest: Uint8Array): () => Uint8Array {
  const [alg, order, size] = [NONCE_HASH[curve], curveOrder(curve), fieldSize(curve)];
  const seed = concat(d, toBytes(digestNumber(curve, digest) % order, size));
  let v: Uint8Array = new Uint8Array(digestSize(alg)).fill(1);
  let k: Uint8Array = new Uint8Array(digestSize(alg));
  const feed = (step: number, data: Uint8Array): void => {
    k = hmac(alg, k, v, Uint8Array.of(step), data);
    v = hmac(alg, k, v);
  };
  feed(0, seed);
  feed(1, seed);
  return () => {
    for (;;) {
      v = hmac(alg, k, v);
      const candidate = v;
      feed(0, new Uint8Array());
      const value = toBigInt(candidate);
      if (value > 0n && value < order) return candidate;
    }
  };
}
