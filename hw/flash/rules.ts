import type { FlashGeometry } from "../../shared/ports/index.ts";

/** The flash of the stick: 128 KiB in pages of 4 KiB. */
export const STICK_GEOMETRY: FlashGeometry = { pageBytes: 4096, pages: 32 };

export function sizeOf(geometry: FlashGeometry): number {
  return geometry.pageBytes * geometry.pages;
}

export function checkRange(geometry: FlashGeometry, at: number, size: number): void {
  if (!Number.isInteger(at) || !Number.isInteger(size) || at < 0 || size < 0 || at + size > sizeOf(geometry)) {
    throw new RangeError(`flash: ${size} bytes at ${at} are not within ${sizeOf(geometry)}`);
  }
}

export function checkPage(geometry: FlashGeometry, page: number): void {
  if (!Number.isInteger(page) || page < 0 || page >= geometry.pages) {
    throw new RangeError(`flash: page ${page} is not within ${geometry.pages}`);
  }
}

/** Programming clears bits and never sets one: whoever tries has lost track of what is erased. */
export function checkProgram(present: Uint8Array, data: Uint8Array, at: number): void {
  const wrong = data.findIndex((byte, i) => ((present[i] ?? 0) & byte) !== byte);
  if (wrong >= 0)
    throw new Error(`flash: programming at ${at + wrong} would set bits that are 0; erase the page first`);
}
