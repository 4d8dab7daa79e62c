import {
  type Codec,
  CodecError,
  concat,
  constant,
  crc32,
  decode,
  encode,
  type Infer,
  oneOf,
  struct,
  u8,
  u16be,
  u32be,
} from "../../shared/bytes/index.ts";

/**
 * What lies in flash, documented in docs/storage-format.md. A page is a sealed PageHeader and two marks, then records. A record is a sealed
 * RecordHeader, a mark, the key, the data, and 0xFF up to a multiple of four bytes. "Sealed": followed by the CRC-32 of the encoding. A mark
 * is a word of which one byte is programmed, in a change of its own: begun, it says that all that is told before it was done.
 */
export const MAGIC = 0x464f_424e; // "FOBN"
const FORMAT = 2;
export const ERASED_HALF_WORD = 0xffff;
const WORD_BYTES = 4;

/** What is programmed to set a mark. Any bit of it that is 0 has begun to be set. */
export const SET_MARK: Uint8Array = Uint8Array.of(0);
export const MarkByte = { Unset: 0xff, Set: 0 } as const;

export const PageHeader = struct("PageHeader", {
  magic: constant(u32be, MAGIC),
  format: constant(u16be, FORMAT),
  reserved: constant(u16be, ERASED_HALF_WORD),
  /** Larger in each page that is opened: the order of the log. */
  sequence: u32be,
  /** Of the page before it in the log. What was opened between them is void. */
  previous: u32be,
  /** Of the oldest page of the log from now on. */
  first: u32be,
});
export type PageHeader = Infer<typeof PageHeader>;
const SEALED_PAGE_HEADER_BYTES = 24;
/** The page is one of the log. */
export const OPENED_MARK_AT: number = SEALED_PAGE_HEADER_BYTES;
/** A page after it was opened. */
export const CLOSED_MARK_AT: number = OPENED_MARK_AT + WORD_BYTES;
export const PAGE_HEADER_BYTES: number = CLOSED_MARK_AT + WORD_BYTES;

export function pageHeader(place: Pick<PageHeader, "sequence" | "previous" | "first">): Uint8Array {
  return seal(PageHeader, { magic: MAGIC, format: FORMAT, reserved: ERASED_HALF_WORD, ...place });
}

/** No part of it is a header, whatever else a page holds. Programmed over one, it leaves the marks as they are. */
export const SPOILT_PAGE_HEADER: Uint8Array = new Uint8Array(SEALED_PAGE_HEADER_BYTES);

/** Undefined for a page that was never opened, or whose opening was cut. */
export function readPageHeader(bytes: Uint8Array): PageHeader | undefined {
  return bytes[OPENED_MARK_AT] === MarkByte.Set
    ? unseal(PageHeader, bytes.subarray(0, SEALED_PAGE_HEADER_BYTES))
    : undefined;
}

export const RecordKind = {
  /** A piece of a value; counts once a record of its transaction has its mark. */
  Put: 1,
  /** A piece of a value that counted already and was moved out of the way of an erasure; counts with its mark. */
  Settled: 2,
  /** The key is no more; counts as Put does. */
  Delete: 3,
  /** In format 1 only. */
  Commit: 4,
  /**
   * The first record of its page. With its mark: all before it waits for erasure and is void, but for the keys that begin with this record's
   * key, when it has one.
   */
  Wipe: 5,
  /** With its mark: the log begins with the page whose sequence stands in the place of the version. What is older is void. */
  Begin: 6,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export const RecordHeader = struct("RecordHeader", {
  kind: oneOf(u8, Object.values(RecordKind)),
  keySize: u8,
  dataSize: u16be,
  /** The number of the transaction that wrote the value: the larger one is newer. Of Begin a sequence. */
  version: u32be,
  /** The whole value's size, and where in it this piece begins. */
  total: u16be,
  offset: u16be,
  /** CRC-32 of key and data. */
  bodyCrc: u32be,
});
export type RecordHeader = Infer<typeof RecordHeader>;
/** The mark stands behind it. */
export const SEALED_RECORD_HEADER_BYTES = 20;
export const RECORD_HEADER_BYTES: number = SEALED_RECORD_HEADER_BYTES + WORD_BYTES;
export const MAX_PADDING_BYTES: number = WORD_BYTES - 1;

/** Flash is programmed in words. */
export function paddedSize(size: number): number {
  return Math.ceil(size / WORD_BYTES) * WORD_BYTES;
}

export function recordSize(keySize: number, dataSize: number): number {
  return paddedSize(RECORD_HEADER_BYTES + keySize + dataSize);
}

/** A record whose mark is not set yet. */
export interface Record {
  /** Programmed first, alone: while it is torn, all behind it is erased. */
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly bodyCrc: number;
  readonly size: number;
}

const NOTHING = new Uint8Array();

export function encodeRecord(
  header: Pick<RecordHeader, "kind" | "version"> & Partial<Pick<RecordHeader, "total" | "offset">>,
  key: Uint8Array = NOTHING,
  data: Uint8Array = NOTHING,
): Record {
  const body = concat(key, data);
  const bodyCrc = crc32(body);
  const sizes = { keySize: key.byteLength, dataSize: data.byteLength, bodyCrc };
  const sealed = seal(RecordHeader, { total: 0, offset: 0, ...header, ...sizes });
  return { header: sealed, body, bodyCrc, size: recordSize(key.byteLength, data.byteLength) };
}

export function seal<T>(codec: Codec<T>, value: T): Uint8Array {
  const body = encode(codec, value);
  return concat(body, encode(u32be, crc32(body)));
}

/** Undefined for anything that was not written whole. */
export function unseal<T>(codec: Codec<T>, bytes: Uint8Array): T | undefined {
  const body = bytes.subarray(0, -4);
  try {
    return decode(u32be, bytes.subarray(-4)) === crc32(body) ? decode(codec, body) : undefined;
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}

const ERASED_WORD = 0xffff_ffff;

export function isErased(bytes: Uint8Array): boolean {
  // In words where they can be had: this is most of what a start does.
  const words = bytes.byteOffset % WORD_BYTES === 0 ? bytes.byteLength >> 2 : 0;
  const view = new Uint32Array(bytes.buffer, words === 0 ? 0 : bytes.byteOffset, words);
  for (let i = 0; i < words; i++) if (view[i] !== ERASED_WORD) return false;
  for (let i = WORD_BYTES * words; i < bytes.byteLength; i++) if (bytes[i] !== 0xff) return false;
  return true;
}
