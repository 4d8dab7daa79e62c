/** Unsigned big-endian integers as bytes and as BigInt. */

export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.byteLength === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

/** Exactly `size` bytes; RangeError when the value does not fit. */
export function toBytes(value: bigint, size: number): Uint8Array {
  const hex = value.toString(16);
  if (value < 0n || hex.length > 2 * size)
    throw new RangeError(`an integer of ${hex.length} digits does not fit ${size} bytes`);
  return new Uint8Array(Buffer.from(hex.padStart(2 * size, "0"), "hex"));
}

/** a^-1 mod m for coprime a and m (extended Euclid); undefined when there is none. */
export function inverse(a: bigint, m: bigint): bigint | undefined {
  let [r0, r1] = [m, ((a % m) + m) % m];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1] = [r1, r0 - q * r1];
    [t0, t1] = [t1, t0 - q * t1];
  }
  return r0 === 1n ? ((t0 % m) + m) % m : undefined;
}
