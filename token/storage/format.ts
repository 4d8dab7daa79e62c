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
 * What lies in flash, documented in docs/storage-format.md. A page is a sealed PageHeader, then records. A record is a sealed
 * RecordHeader, the key, the data, and 0xFF up to a multiple of four bytes. "Sealed": followed by the CRC-32 of the encoding.
 */
const MAGIC = 0x464f_424e; // "FOBN"
const FORMAT = 1;
const ERASED_HALF_WORD = 0xffff;

export const PageHeader = struct("PageHeader", {
  magic: constant(u32be, MAGIC),
  format: constant(u16be, FORMAT),
  reserved: constant(u16be, ERASED_HALF_WORD),
  /** Larger in each page that is opened: the order of the log. */
  sequence: u32be,
});
export const PAGE_HEADER_BYTES = 16;

export function pageHeader(sequence: number): Uint8Array {
  return seal(PageHeader, { magic: MAGIC, format: FORMAT, reserved: ERASED_HALF_WORD, sequence });
}

export const RecordKind = {
  /** A piece of a value; counts once its transaction has its Commit. */
  Put: 1,
  /** A piece of a value that counted already and was moved out of the way of an erasure. */
  Settled: 2,
  /** The key is no more; counts once its transaction has its Commit. */
  Delete: 3,
  Commit: 4,
  /** All before it waits for erasure and is void, but for the keys that begin with this record's key, when it has one. */
  Wipe: 5,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

export const RecordHeader = struct("RecordHeader", {
  kind: oneOf(u8, Object.values(RecordKind)),
  keySize: u8,
  dataSize: u16be,
  /** The number of the transaction that wrote the value: the larger one is newer. */
  version: u32be,
  /** The whole value's size, and where in it this piece begins. */
  total: u16be,
  offset: u16be,
  /** CRC-32 of key and data. */
  bodyCrc: u32be,
});
export type RecordHeader = Infer<typeof RecordHeader>;
export const RECORD_HEADER_BYTES = 20;

/** The data of a Commit. */
export const CommitData = struct("CommitData", {
  /** Sequence of the page in which the transaction begins. */
  since: u32be,
  /** How many records it has besides this one. */
  records: u16be,
});
export const COMMIT_BYTES = 6;

const WORD_BYTES = 4;
export const MAX_PADDING_BYTES = WORD_BYTES - 1;

/** Flash is programmed in words. */
function paddedSize(size: number): number {
  return Math.ceil(size / WORD_BYTES) * WORD_BYTES;
}

export function recordSize(keySize: number, dataSize: number): number {
  return paddedSize(RECORD_HEADER_BYTES + keySize + dataSize);
}

export function encodeRecord(
  header: Omit<RecordHeader, "keySize" | "dataSize" | "bodyCrc">,
  key: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const sizes = { keySize: key.byteLength, dataSize: data.byteLength, bodyCrc: crc32(key, data) };
  const record = concat(seal(RecordHeader, { ...header, ...sizes }), key, data);
  return concat(record, new Uint8Array(paddedSize(record.byteLength) - record.byteLength).fill(0xff));
}

function seal<T>(codec: Codec<T>, value: T): Uint8Array {
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

export function isErased(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0xff) return false;
  return true;
}
