const POLYNOMIAL = 0xedb8_8320;

/** Four tables of 256. */
const TABLES: Uint32Array = tables();

function tables(): Uint32Array {
  const all = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    all[byte] = crc;
  }
  for (let at = 256; at < all.length; at++) {
    const shorter = all[at - 256] ?? 0;
    all[at] = (shorter >>> 8) ^ (all[shorter & 0xff] ?? 0);
  }
  return all;
}

/** What a byte does to the CRC when `following` more bytes are taken with it. */
function step(following: number, byte: number): number {
  return TABLES[256 * following + (byte & 0xff)] ?? 0;
}

/** CRC-32 of IEEE 802.3 over all parts, one behind the other; four bytes at a time. */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = 0xffff_ffff;
  for (const part of parts) {
    const inFours = part.byteLength - (part.byteLength % 4);
    let at = 0;
    for (; at < inFours; at += 4) {
      crc ^= (part[at] ?? 0) | ((part[at + 1] ?? 0) << 8) | ((part[at + 2] ?? 0) << 16) | ((part[at + 3] ?? 0) << 24);
      crc = step(3, crc) ^ step(2, crc >>> 8) ^ step(1, crc >>> 16) ^ step(0, crc >>> 24);
    }
    for (; at < part.byteLength; at++) crc = (crc >>> 8) ^ step(0, crc ^ (part[at] ?? 0));
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
