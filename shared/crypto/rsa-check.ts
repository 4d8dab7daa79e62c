import type { RsaPublicKey } from "./keys.ts";

export const MIN_RSA_BITS = 1024;
/** The largest that peers have; a larger one would only buy its sender our time. */
export const MAX_RSA_BITS = 8192;

/** Why numbers are not an RSA public key that anybody should use. */
export type RsaKeyFlaw = "modulus-size" | "leading-zero" | "even-modulus" | "exponent";

/** Bits of the modulus, leading zero bits not counted. */
export function rsaModulusBits({ n }: RsaPublicKey): number {
  const start = n.findIndex((byte) => byte !== 0);
  return start < 0 ? 0 : 8 * (n.byteLength - start) - Math.clz32(n[start] ?? 0) + 24;
}

/**
 * What can be seen without factoring: RFC 8017 3.1 wants an odd modulus and an odd exponent of 3 at least (SP 800-56B 6.2:
 * also with e = 1 or an even e the signature proves nothing). Every operation with the public key asks this first.
 */
export function rsaKeyFlaw(key: RsaPublicKey): RsaKeyFlaw | undefined {
  if (key.n[0] === 0) return "leading-zero";
  const bits = rsaModulusBits(key);
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return "modulus-size";
  if (((key.n.at(-1) ?? 0) & 1) === 0) return "even-modulus";
  if (!Number.isInteger(key.e) || key.e < 3 || key.e > 0xffff_ffff || key.e % 2 === 0) return "exponent";
  return undefined;
}
