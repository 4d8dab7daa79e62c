import { type RecordHeader, RecordKind } from "./format.ts";
import type { LoggedRecord, LogPage } from "./scan.ts";

/** A piece of a value, in flash. */
export interface Fragment {
  readonly page: number;
  readonly at: number;
  readonly size: number;
  /** Of the key and this piece. */
  readonly crc: number;
}

/** One whole copy of a value. */
export interface StoredValue {
  readonly version: number;
  readonly size: number;
  readonly fragments: readonly Fragment[];
}

export interface Recovered {
  readonly values: ReadonlyMap<string, StoredValue>;
  /** Larger than every version in the log. */
  readonly nextVersion: number;
  /** The newest pages of the log that hold nothing that counts: what a power cut left of a transaction or of a move. */
  readonly idle: readonly number[];
  /** Sequence of the page with the last order to wipe. */
  readonly wipedAt: number | undefined;
}

const MAX_VERSION = 0xffff_0000;

/** What the log says. Undefined when the flash lost bits: something that counts is not whole. */
export function recover(log: readonly LogPage[]): Recovered | undefined {
  const records = log.flatMap((page) => page.records);
  const committed = new Set<number>();
  for (const { header, marked } of records) if (marked && isChange(header)) committed.add(header.version);
  const counting = records.filter(({ header, marked }) => (isChange(header) ? committed.has(header.version) : marked));
  const versions = records.filter(({ header }) => header.kind !== RecordKind.Begin);
  const newest = versions.reduce((max, { header }) => Math.max(max, header.version), 0);
  if (newest > MAX_VERSION || counting.some(({ whole }) => !whole)) return undefined;
  const values = newestValues(counting);
  return (
    values && {
      values,
      nextVersion: newest + 1,
      idle: idlePages(log, usedPages(counting, values)),
      wipedAt: counting.findLast(({ header }) => header.kind === RecordKind.Wipe)?.sequence,
    }
  );
}

/** Put and Delete, which count with their transaction. */
function isChange({ kind }: RecordHeader): boolean {
  return kind === RecordKind.Put || kind === RecordKind.Delete;
}

/** Whether a value outlives a wipe that keeps the keys that begin with `keep`; an empty text keeps none. */
export function survives(key: string, keep: string): boolean {
  return keep !== "" && key.startsWith(keep);
}

interface Copy {
  readonly version: number;
  readonly size: number;
  readonly fragments: Fragment[];
  covered: number;
}

/** What the log says of a key. */
interface Known {
  readonly copies: Copy[];
  /** The newest version of it, and whether that is its deletion. */
  version: number;
  deleted: boolean;
}

/**
 * Of each key the newest version, unless that deleted it; undefined when it is not whole. A value may lie there twice, because moving one is done
 * before its old place is erased: the older whole copy is taken, so that what a cut left of an unfinished move never counts.
 */
function newestValues(counting: readonly LoggedRecord[]): Map<string, StoredValue> | undefined {
  const values = new Map<string, StoredValue>();
  for (const [key, { copies, version, deleted }] of whatIsKnown(counting)) {
    if (deleted) continue;
    const value = copies.find((copy) => copy.version === version && copy.covered === copy.size);
    if (value === undefined) return undefined;
    values.set(key, value);
  }
  return values;
}

function whatIsKnown(counting: readonly LoggedRecord[]): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const { header, key, page, at } of counting) {
    const { kind, version } = header;
    if (kind === RecordKind.Wipe) {
      for (const name of [...known.keys()]) if (!survives(name, key)) known.delete(name);
    } else if (kind !== RecordKind.Begin) {
      const of = known.get(key) ?? { copies: [], version: 0, deleted: false };
      known.set(key, of);
      if (version >= of.version) [of.version, of.deleted] = [version, kind === RecordKind.Delete];
      if (kind !== RecordKind.Delete) addPiece(of.copies, header, page, at);
    }
  }
  return known;
}

/** Pieces of one copy follow each other in the log. A piece whose beginning was erased belongs to a copy that is given up. */
function addPiece(copies: Copy[], header: RecordHeader, page: number, at: number): void {
  const { version, total, offset, dataSize, bodyCrc } = header;
  if (offset === 0) copies.push({ version, size: total, fragments: [], covered: 0 });
  const copy = copies.at(-1);
  if (copy === undefined || copy.version !== version || copy.size !== total || copy.covered !== offset) return;
  copy.fragments.push({ page, at, size: dataSize, crc: bodyCrc });
  copy.covered += dataSize;
}

function usedPages(counting: readonly LoggedRecord[], values: ReadonlyMap<string, StoredValue>): Set<number> {
  const used = new Set([...values.values()].flatMap(({ fragments }) => fragments.map(({ page }) => page)));
  for (const { header, page } of counting) if (header.kind !== RecordKind.Settled) used.add(page);
  return used;
}

/** The oldest page always stays. */
function idlePages(log: readonly LogPage[], used: ReadonlySet<number>): readonly number[] {
  const last = log.findLastIndex(({ page, decides }, i) => i === 0 || decides || used.has(page));
  return log.slice(last + 1).map(({ page }) => page);
}
