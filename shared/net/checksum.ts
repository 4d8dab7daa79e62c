/** The problem that a CodecError of this room names when only the checksum is wrong, so that it can be counted apart. */
export const WRONG_CHECKSUM = "wrong checksum";

/**
 * The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words, as of the parts laid
 * end to end, an odd last byte padded with zero. Zero over data that holds its own right checksum.
 */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  let high = true;
  for (const part of parts) {
    for (const byte of part) {
      sum += high ? byte << 8 : byte;
      high = !high;
    }
  }
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum ^ 0xffff;
}
