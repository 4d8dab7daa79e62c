import { utf8 } from "../../shared/bytes/index.ts";
import { MAX_PADDING_BYTES, PAGE_HEADER_BYTES, RECORD_HEADER_BYTES, recordSize } from "./format.ts";

export const StorageLimit = {
  /** In UTF-8. */
  KEY_BYTES: 192,
  /** An owner's chain of three large certificates fits. */
  VALUE_BYTES: 16_384,
} as const;

/**
 * Erased pages that neither value nor deletion takes: moving the values of one page opens up to six, and when that is cut, one more, which says that
 * those are void.
 */
export const MOVING_PAGES = 7;
/** Room in which a full store deletes, all together: 50 keys of 134 bytes. */
const DELETION_PAGES = 2;
export const RESERVED_PAGES: number = MOVING_PAGES + DELETION_PAGES;
/** A piece of a value smaller than this waits for the next page. */
export const MIN_PIECE_BYTES = 32;

/** A key, and the size of its value. */
export type Sized = readonly [key: string, size: number];

/** RangeError for what no store takes. */
export function checkLimits(key: string, value: Uint8Array | undefined): void {
  const keyBytes = utf8(key).byteLength;
  if (keyBytes === 0 || keyBytes > StorageLimit.KEY_BYTES) throw new RangeError(`storage: a key of ${keyBytes} bytes`);
  if (value !== undefined && value.byteLength > StorageLimit.VALUE_BYTES) {
    throw new RangeError(`storage: ${value.byteLength} bytes for ${key}, ${StorageLimit.VALUE_BYTES} at most`);
  }
}

/** Pages that deletions open at most, wherever they begin. */
export function pagesForDeletions(pageBytes: number, keys: readonly string[]): number {
  let [pages, room] = [0, 0];
  for (const key of keys) {
    const size = recordSize(utf8(key).byteLength, 0);
    if (size > room) [pages, room] = [pages + 1, pageBytes - PAGE_HEADER_BYTES];
    room -= size;
  }
  return pages;
}

const OVERHEAD = RECORD_HEADER_BYTES + MAX_PADDING_BYTES;

/** Pages that values take at most, however they fall. At the end of each page one of them is cut in two, or a gap is left. */
export function pagesFor(pageBytes: number, values: Iterable<Sized>): number {
  const atTheEnd = OVERHEAD + StorageLimit.KEY_BYTES + MIN_PIECE_BYTES;
  let bytes = 0;
  for (const [key, size] of values) bytes += OVERHEAD + utf8(key).byteLength + size;
  return Math.ceil(bytes / (pageBytes - PAGE_HEADER_BYTES - atTheEnd));
}
