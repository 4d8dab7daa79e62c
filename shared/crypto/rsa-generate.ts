import { checkPrimeSync } from "node:crypto";
import type { Random } from "../ports/index.ts";
import { inverse, toBigInt, toBytes } from "./integer.ts";
import type { RsaPrivateKey } from "./keys.ts";
import { MAX_RSA_BITS, MIN_RSA_BITS } from "./rsa-check.ts";

const DEFAULT_EXPONENT = 65_537;
const SIEVE_LIMIT = 8_192;
/** How far above a random start the search goes before it draws another; odd numbers only. */
const SPAN = 4_096;

/** The odd primes below SIEVE_LIMIT. */
const SMALL_PRIMES: readonly number[] = (() => {
  const composite = new Uint8Array(SIEVE_LIMIT);
  const primes: number[] = [];
  for (let n = 3; n < SIEVE_LIMIT; n += 2) {
    if (composite[n] === 1) continue;
    primes.push(n);
    for (let multiple = n * n; multiple < SIEVE_LIMIT; multiple += 2 * n) composite[multiple] = 1;
  }
  return primes;
})();

/** Marks offsets from `start` (even ones only) that a small prime divides. */
function sieve(start: bigint): Uint8Array {
  const composite = new Uint8Array(SPAN);
  for (const prime of SMALL_PRIMES) {
    const remainder = Number(start % BigInt(prime));
    let offset = (prime - remainder) % prime;
    if (offset % 2 === 1) offset += prime;
    for (; offset < SPAN; offset += 2 * prime) composite[offset] = 1;
  }
  return composite;
}

/** A prime of exactly `bytes` bytes with its two top bits set, so that the product of two has exactly twice the bits. */
function prime(random: Random, bytes: number, exponent: bigint): bigint {
  for (;;) {
    const draw = random.bytes(bytes);
    draw[0] = (draw[0] ?? 0) | 0xc0;
    draw[bytes - 1] = (draw[bytes - 1] ?? 0) | 1;
    const start = toBigInt(draw);
    const composite = sieve(start);
    for (let offset = 0; offset < SPAN; offset += 2) {
      if (composite[offset] === 1) continue;
      const candidate = start + BigInt(offset);
      if (candidate >> BigInt(8 * bytes) !== 0n) break;
      if ((candidate - 1n) % exponent !== 0n && checkPrimeSync(candidate)) return candidate;
    }
  }
}

/** |p - q| > 2^(nlen/2 - 100), FIPS 186-4 B.3.3 step 5.4. */
function farApart(p: bigint, q: bigint, bits: number): boolean {
  const distance = p > q ? p - q : q - p;
  return distance >> BigInt(bits / 2 - 100) !== 0n;
}

/**
 * An RSA key from the given randomness: the same stream gives the same key. `bits` is a multiple of 16, 1024 to
 * 8192; `e` an odd prime. Private exponent by lcm, and not short, as in FIPS 186-4 B.3.1.
 */
export function generateRsaKey(random: Random, bits: number, e: number = DEFAULT_EXPONENT): RsaPrivateKey {
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || bits % 16 !== 0)
    throw new RangeError(`RSA keys of ${bits} bits are not made here`);
  const half = bits / 16;
  const exponent = BigInt(e);
  for (;;) {
    const p = prime(random, half, exponent);
    const q = prime(random, half, exponent);
    const key = farApart(p, q, bits) ? rsaKeyFromPrimes(p, q, e, bits) : undefined;
    if (key !== undefined && toBigInt(key.d) >> BigInt(bits / 2) !== 0n) return key;
  }
}

/** The whole key from its primes, each half as long as the modulus (RangeError otherwise); undefined when `e` has no inverse. */
export function rsaKeyFromPrimes(p: bigint, q: bigint, e: number, bits: number): RsaPrivateKey | undefined {
  const exponent = BigInt(e);
  const d = inverse(exponent, ((p - 1n) * (q - 1n)) / greatestCommonDivisor(p - 1n, q - 1n));
  const qi = inverse(q, p);
  if (d === undefined || qi === undefined) return undefined;
  const half = bits / 16;
  return {
    type: "rsa",
    n: toBytes(p * q, 2 * half),
    e,
    d: toBytes(d, 2 * half),
    p: toBytes(p, half),
    q: toBytes(q, half),
    dp: toBytes(d % (p - 1n), half),
    dq: toBytes(d % (q - 1n), half),
    qi: toBytes(qi, half),
  };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
