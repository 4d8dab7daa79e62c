import { crc32 } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import {
  isErased,
  PAGE_HEADER_BYTES,
  PageHeader,
  RECORD_HEADER_BYTES,
  RecordHeader,
  recordSize,
  unseal,
} from "./format.ts";

/** A record that was written whole. */
export interface LoggedRecord {
  readonly header: RecordHeader;
  readonly key: string;
  /** Where the data lies in the flash. */
  readonly at: number;
  readonly page: number;
  /** Of the page. */
  readonly sequence: number;
}

interface LogPage {
  readonly page: number;
  readonly sequence: number;
  readonly records: readonly LoggedRecord[];
  /** Where the next record may go, in bytes of the page: its end when something lies there that was not written whole. */
  readonly end: number;
  /** More lies behind the last whole record than a power cut can leave there. */
  readonly damaged: boolean;
}

export interface Scan {
  /** In the order of the log. */
  readonly log: readonly LogPage[];
  /** Neither erased nor pages of the log: what a power cut left of a page that was being opened or erased. */
  readonly torn: readonly number[];
}

/** Undefined when this is not the flash of a token: bytes where a token never leaves any. */
export function scan(flash: Flash): Scan | undefined {
  const { pageBytes, pages } = flash.geometry;
  const log: LogPage[] = [];
  const torn: number[] = [];
  let foreign = false;
  for (let page = 0; page < pages; page++) {
    const bytes = flash.read(page * pageBytes, pageBytes);
    const header = unseal(PageHeader, bytes.subarray(0, PAGE_HEADER_BYTES));
    if (header !== undefined) {
      log.push({ page, sequence: header.sequence, ...readRecords(bytes, page * pageBytes, page, header.sequence) });
    } else if (!isErased(bytes)) {
      torn.push(page);
      foreign ||= !isErased(bytes.subarray(PAGE_HEADER_BYTES));
    }
  }
  if (log.length === 0 && (foreign || torn.length > 1)) return undefined;
  return { log: log.sort((a, b) => a.sequence - b.sequence), torn };
}

const KEY_DECODER = new TextDecoder();

function readRecords(
  bytes: Uint8Array,
  base: number,
  page: number,
  sequence: number,
): Pick<LogPage, "records" | "end" | "damaged"> {
  const records: LoggedRecord[] = [];
  let at = PAGE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= bytes.byteLength) {
    const header = unseal(RecordHeader, bytes.subarray(at, at + RECORD_HEADER_BYTES));
    if (header === undefined) break;
    const end = at + recordSize(header.keySize, header.dataSize);
    const dataAt = at + RECORD_HEADER_BYTES + header.keySize;
    const key = bytes.subarray(at + RECORD_HEADER_BYTES, dataAt);
    const whole = crc32(key, bytes.subarray(dataAt, dataAt + header.dataSize)) === header.bodyCrc;
    if (end > bytes.byteLength || !whole) {
      return { records, end: bytes.byteLength, damaged: !isErased(bytes.subarray(end)) };
    }
    records.push({ header, key: KEY_DECODER.decode(key), at: base + dataAt, page, sequence });
    at = end;
  }
  const torn = !isErased(bytes.subarray(at));
  return { records, end: torn ? bytes.byteLength : at, damaged: !isErased(bytes.subarray(at + RECORD_HEADER_BYTES)) };
}
