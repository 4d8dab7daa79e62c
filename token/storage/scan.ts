import { crc32 } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import {
  CLOSED_MARK_AT,
  isErased,
  MarkByte,
  PAGE_HEADER_BYTES,
  type PageHeader,
  RECORD_HEADER_BYTES,
  RecordHeader,
  RecordKind,
  readPageHeader,
  recordSize,
  SEALED_RECORD_HEADER_BYTES,
  unseal,
} from "./format.ts";
import { asLog, readPage1, readSequence1 } from "./format1.ts";

/** A record whose header is whole. */
export interface LoggedRecord {
  readonly header: RecordHeader;
  readonly key: string;
  /** Where the data lies in the flash. */
  readonly at: number;
  readonly page: number;
  /** Of the page. */
  readonly sequence: number;
  /** Key and data are what was to be written. */
  readonly whole: boolean;
  readonly marked: boolean;
}

export interface LogPage {
  readonly page: number;
  readonly sequence: number;
  readonly format: 1 | 2;
  readonly records: readonly LoggedRecord[];
  /** Where in the page the next record may go: nowhere, when a torn header lies there. */
  readonly end: number;
  /** Holds a record of format 1 that makes others count. */
  readonly decides: boolean;
}

export interface Scan {
  /** In the order of the log. */
  readonly log: readonly LogPage[];
  /** Pages off the log that are not erased: whatever they hold, it is void. */
  readonly stray: readonly number[];
  /** Addresses of marks that a cut left half set, or unset although what they tell is done. */
  readonly unfinished: readonly number[];
}

/** A page that was opened, and is one of the log unless a newer one says that it is void. */
interface Candidate extends Pick<PageHeader, "sequence" | "previous" | "first"> {
  readonly page: number;
  readonly bytes: Uint8Array;
  readonly format: 1 | 2;
}

interface ReadPage extends LogPage {
  /** Address of the mark that says that a page after it was opened, and the byte there. */
  readonly closed: { readonly at: number; readonly byte: number | undefined };
  /** Address of the last record's mark when it is half set. */
  readonly half: number | undefined;
}

/** Numbers that no token reaches in the life of its flash. */
const MAX_SEQUENCE = 0xffff_0000;

/** "foreign": bytes where a token never leaves any. "damaged": more is lost than power cuts can take. */
export function scan(flash: Flash): Scan | "foreign" | "damaged" {
  const { pageBytes, pages } = flash.geometry;
  const all = Array.from({ length: pages }, (_, page) => flash.read(page * pageBytes, pageBytes));
  const used = [...all.entries()].filter(([, bytes]) => !isErased(bytes));
  const candidates = used.flatMap(([page, bytes]) => candidateOf(page, bytes) ?? []);
  const head = candidates.sort((a, b) => a.sequence - b.sequence).at(-1);
  if (head === undefined) {
    const isNew = used.every(([, bytes]) => isErased(bytes.subarray(PAGE_HEADER_BYTES)));
    return isNew ? { log: [], stray: used.map(([page]) => page), unfinished: [] } : "foreign";
  }
  const read = head.format === 1 ? readOldLog(candidates) : readLog(head, candidates);
  if (read === undefined || head.sequence > MAX_SEQUENCE) return "damaged";
  const inLog = new Set(read.log.map(({ page }) => page));
  const stray = used.map(([page]) => page).filter((page) => !inLog.has(page));
  // In format 1 a cut tears one page, and all others belong to the log.
  return head.format === 1 && stray.length > 1 ? "damaged" : { ...read, stray };
}

function candidateOf(page: number, bytes: Uint8Array): Candidate | undefined {
  const header = readPageHeader(bytes);
  if (header !== undefined) return { ...header, page, bytes, format: 2 };
  const sequence = readSequence1(bytes);
  return sequence === undefined ? undefined : { page, bytes, format: 1, sequence, previous: sequence - 1, first: 0 };
}

type Log = Pick<Scan, "log" | "unfinished">;

/** Undefined when records are lost. */
function readOldLog(pages: readonly Candidate[]): Log | undefined {
  const log = asLog(pages.map(({ page, bytes, sequence }) => readPage1(bytes, page, sequence)));
  return log && { log, unfinished: [] };
}

/** Undefined when pages or records are lost. */
function readLog(head: Candidate, candidates: readonly Candidate[]): Log | undefined {
  const newest = readPage(head);
  if (newest === undefined || newest.closed.byte !== MarkByte.Unset) return undefined; // the page after it is lost
  const begins = newest.records.filter(({ header, marked }) => header.kind === RecordKind.Begin && marked);
  const chain = chainBefore(head, begins.at(-1)?.header.version ?? head.first, candidates);
  const old = chain && readOldLog(chain.filter(({ format }) => format === 1));
  if (chain === undefined || old === undefined) return undefined;
  const log = [...old.log];
  const unfinished: number[] = [];
  for (const candidate of chain.filter(({ format }) => format === 2)) {
    const page = readPage(candidate);
    if (page === undefined || page.half !== undefined) return undefined; // nothing is written behind a mark that is not whole
    if (page.closed.byte !== MarkByte.Set) unfinished.push(page.closed.at);
    log.push(page);
  }
  if (newest.half !== undefined) unfinished.push(newest.half);
  return { log: [...log, newest], unfinished };
}

/** The pages from `first` to the one before the head, oldest first; undefined when one is missing. */
function chainBefore(head: Candidate, first: number, candidates: readonly Candidate[]): Candidate[] | undefined {
  const bySequence = new Map(candidates.map((page) => [page.sequence, page]));
  const chain: Candidate[] = [];
  for (let page = head; page.sequence !== first; chain.push(page)) {
    const previous = bySequence.get(page.previous);
    if (previous === undefined || previous.sequence >= page.sequence) return undefined;
    page = previous;
  }
  return chain.reverse();
}

/** Undefined for what no cut leaves. */
function readPage({ page, bytes, sequence }: Candidate): ReadPage | undefined {
  const base = page * bytes.byteLength;
  const records: LoggedRecord[] = [];
  let half: number | undefined;
  let at = PAGE_HEADER_BYTES;
  while (at + RECORD_HEADER_BYTES <= bytes.byteLength && half === undefined) {
    const found = readRecord(bytes, at);
    if (found === undefined) break;
    const { end, dataAt, mark, ...record } = found;
    if (record.marked && !record.whole) return undefined;
    if (record.marked && mark !== MarkByte.Set) half = base + at + SEALED_RECORD_HEADER_BYTES;
    records.push({ ...record, at: base + dataAt, page, sequence });
    at = end;
  }
  const closed = { at: base + CLOSED_MARK_AT, byte: bytes[CLOSED_MARK_AT] };
  const read = { page, sequence, format: 2, records, decides: false, closed, half } as const;
  if (isErased(bytes.subarray(at))) return { ...read, end: at };
  // A header is programmed alone: behind a torn one there is nothing yet.
  const isTorn = half === undefined && isErased(bytes.subarray(at + SEALED_RECORD_HEADER_BYTES));
  return isTorn ? { ...read, end: bytes.byteLength } : undefined;
}

const KEY_DECODER = new TextDecoder();

function readRecord(bytes: Uint8Array, at: number) {
  const header = unseal(RecordHeader, bytes.subarray(at, at + SEALED_RECORD_HEADER_BYTES));
  if (header === undefined || header.kind === RecordKind.Commit) return undefined;
  const end = at + recordSize(header.keySize, header.dataSize);
  if (end > bytes.byteLength) return undefined;
  const keyAt = at + RECORD_HEADER_BYTES;
  const dataAt = keyAt + header.keySize;
  const body = bytes.subarray(keyAt, dataAt + header.dataSize);
  const mark = bytes[at + SEALED_RECORD_HEADER_BYTES];
  const key = KEY_DECODER.decode(bytes.subarray(keyAt, dataAt));
  return { header, key, dataAt, end, mark, marked: mark !== MarkByte.Unset, whole: crc32(body) === header.bodyCrc };
}
