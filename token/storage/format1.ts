import { constant, crc32, decode, type Infer, struct, u16be, u32be } from "../../shared/bytes/index.ts";
import {
  ERASED_HALF_WORD,
  isErased,
  MAGIC,
  paddedSize,
  RecordHeader,
  RecordKind,
  SEALED_RECORD_HEADER_BYTES,
  unseal,
} from "./format.ts";
import type { LoggedRecord, LogPage } from "./scan.ts";

/**
 * Format 1, which is read and never written: no marks, a record is programmed at once, and a Commit makes the records of its transaction
 * count. It took for granted that a cut leaves nothing behind a byte that is not whole.
 */
export const PageHeader1 = struct("PageHeader1", {
  magic: constant(u32be, MAGIC),
  format: constant(u16be, 1),
  reserved: constant(u16be, ERASED_HALF_WORD),
  sequence: u32be,
});
export const PAGE_HEADER_1_BYTES = 16;

/** The data of a Commit. */
export const CommitData = struct("CommitData", {
  /** Sequence of the page in which the transaction begins. */
  since: u32be,
  /** How many records it has besides this one. */
  records: u16be,
});
export const COMMIT_BYTES = 6;

interface Commit extends Infer<typeof CommitData> {
  readonly version: number;
}

export interface Page1 {
  readonly page: number;
  readonly sequence: number;
  /** Put and Delete are not marked yet. */
  readonly records: readonly LoggedRecord[];
  readonly commits: readonly Commit[];
  /** More lies behind the last whole record than a cut left there. */
  readonly damaged: boolean;
}

export function readSequence1(bytes: Uint8Array): number | undefined {
  return unseal(PageHeader1, bytes.subarray(0, PAGE_HEADER_1_BYTES))?.sequence;
}

const KEY_DECODER = new TextDecoder();

export function readPage1(bytes: Uint8Array, page: number, sequence: number): Page1 {
  const records: LoggedRecord[] = [];
  const commits: Commit[] = [];
  const read = (damaged: boolean): Page1 => ({ page, sequence, records, commits, damaged });
  let at = PAGE_HEADER_1_BYTES;
  while (at + SEALED_RECORD_HEADER_BYTES <= bytes.byteLength) {
    const bodyAt = at + SEALED_RECORD_HEADER_BYTES;
    const header = unseal(RecordHeader, bytes.subarray(at, bodyAt));
    if (header === undefined) break;
    const { kind, keySize, dataSize, version } = header;
    const end = at + paddedSize(SEALED_RECORD_HEADER_BYTES + keySize + dataSize);
    const [key, data] = [bytes.subarray(bodyAt, bodyAt + keySize), bytes.subarray(bodyAt + keySize, bodyAt + keySize + dataSize)]; // biome-ignore format: what a record holds
    if (end > bytes.byteLength || crc32(key, data) !== header.bodyCrc) return read(!isErased(bytes.subarray(end)));
    if (kind === RecordKind.Commit) {
      if (dataSize !== COMMIT_BYTES) return read(true); // not written by us, though its checksum is right
      commits.push({ version, ...decode(CommitData, data, "commit") });
    } else {
      const marked = kind === RecordKind.Settled || kind === RecordKind.Wipe;
      const dataAt = page * bytes.byteLength + bodyAt + keySize;
      records.push({ header, key: KEY_DECODER.decode(key), at: dataAt, page, sequence, whole: true, marked });
    }
    at = end;
  }
  return read(!isErased(bytes.subarray(at + SEALED_RECORD_HEADER_BYTES)));
}

/** As pages of the log, oldest first. Undefined when the flash lost bits: a committed transaction is not whole. */
export function asLog(pages: readonly Page1[]): LogPage[] | undefined {
  if (pages.some(({ damaged }) => damaged)) return undefined;
  const pieces = new Map<number, number>();
  for (const { header } of pages.flatMap(({ records }) => records)) {
    if (!isMarkedByCommit(header.kind)) continue;
    pieces.set(header.version, (pieces.get(header.version) ?? 0) + 1);
  }
  const oldest = pages[0]?.sequence ?? 0;
  const commits = new Map(pages.flatMap((page) => page.commits).map((commit) => [commit.version, commit]));
  for (const [version, { since, records }] of commits) {
    if (since >= oldest && pieces.get(version) !== records) return undefined;
  }
  return pages.map(({ page, sequence, records, commits: own }) => ({
    ...{ page, sequence, format: 1, end: Number.POSITIVE_INFINITY, decides: own.length > 0 },
    records: records.map((record) => ({
      ...record,
      marked: isMarkedByCommit(record.header.kind) ? commits.has(record.header.version) : record.marked,
    })),
  }));
}

function isMarkedByCommit(kind: RecordKind): boolean {
  return kind === RecordKind.Put || kind === RecordKind.Delete;
}
