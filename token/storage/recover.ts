import { decode } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import { COMMIT_BYTES, CommitData, PAGE_HEADER_BYTES, type RecordHeader, RecordKind } from "./format.ts";
import type { LoggedRecord, Scan } from "./scan.ts";

/** A piece of a value, in flash. */
export interface Fragment {
  readonly page: number;
  readonly at: number;
  readonly size: number;
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

/** What the log says. Undefined when the flash lost bits: a committed transaction is not whole. */
export function recover(flash: Flash, { log, torn }: Scan): Recovered | undefined {
  // A power cut tears one page or one record, and the next start mends it.
  if (torn.length > 1 || log.some(({ damaged }) => damaged)) return undefined;
  const records = log.flatMap((page) => page.records);
  const committed = committedVersions(flash, records, log[0]?.sequence ?? 0);
  if (committed === undefined) return undefined;
  const counts = ({ kind, version }: RecordHeader) =>
    kind === RecordKind.Settled || kind === RecordKind.Wipe || committed.has(version);
  const wipes = records.filter(({ header }) => header.kind === RecordKind.Wipe);
  const values = newestValues(records.filter(({ header }) => counts(header)));
  for (const key of [...values.keys()]) if (!wipes.every((wipe) => survives(key, wipe.key))) values.delete(key);
  const used = new Set([...values.values()].flatMap(({ fragments }) => fragments.map(({ page }) => page)));
  for (const { header, page } of records) {
    if (header.kind !== RecordKind.Settled && counts(header)) used.add(page);
  }
  return {
    values,
    nextVersion: records.reduce((max, { header }) => Math.max(max, header.version), 0) + 1,
    idle: idlePages(log, used),
    wipedAt: wipes.at(-1)?.sequence,
  };
}

/** Whether a value outlives a wipe that keeps the keys that begin with `keep`; an empty text keeps none. */
export function survives(key: string, keep: string): boolean {
  return keep !== "" && key.startsWith(keep);
}

/** Undefined when one of them misses records that cannot have been erased with older pages. */
function committedVersions(flash: Flash, records: readonly LoggedRecord[], oldest: number): Set<number> | undefined {
  const pieces = new Map<number, number>();
  const committed = new Set<number>();
  for (const { header, at } of records) {
    const { kind, version } = header;
    if (kind === RecordKind.Put || kind === RecordKind.Delete) pieces.set(version, (pieces.get(version) ?? 0) + 1);
    if (kind !== RecordKind.Commit) continue;
    if (header.dataSize !== COMMIT_BYTES) return undefined; // not written by us, though its checksum is right
    const { since, records: count } = decode(CommitData, flash.read(at, COMMIT_BYTES), "commit");
    if (since >= oldest && pieces.get(version) !== count) return undefined;
    committed.add(version);
  }
  return committed;
}

interface Copy {
  readonly version: number;
  readonly size: number;
  readonly fragments: Fragment[];
  covered: number;
}

/**
 * Of each key the newest version, unless it was deleted later. A value may lie there twice, because moving one is done before its old place is
 * erased: the older whole copy is taken, so that what a cut left of an unfinished move never counts.
 */
function newestValues(records: readonly LoggedRecord[]): Map<string, StoredValue> {
  const copies = new Map<string, Copy[]>();
  const deleted = new Map<string, number>();
  for (const record of records) {
    const { kind, version } = record.header;
    if (kind === RecordKind.Delete) deleted.set(record.key, Math.max(version, deleted.get(record.key) ?? 0));
    if (kind === RecordKind.Put || kind === RecordKind.Settled) addPiece(copies, record);
  }
  const values = new Map<string, StoredValue>();
  for (const [key, found] of copies) {
    const whole = found.filter(({ covered, size }) => covered === size);
    const newest = whole.reduce((max, { version }) => Math.max(max, version), 0);
    const value = whole.find(({ version }) => version === newest);
    if (value !== undefined && newest > (deleted.get(key) ?? 0)) values.set(key, value);
  }
  return values;
}

/** Pieces of one copy follow each other in the log. A piece whose beginning was erased belongs to a copy that is given up. */
function addPiece(copies: Map<string, Copy[]>, { header, key, page, at }: LoggedRecord): void {
  const { version, total, offset, dataSize, bodyCrc } = header;
  const known = copies.get(key) ?? [];
  copies.set(key, known);
  if (offset === 0) known.push({ version, size: total, fragments: [], covered: 0 });
  const copy = known.at(-1);
  if (copy === undefined || copy.version !== version || copy.size !== total || copy.covered !== offset) return;
  copy.fragments.push({ page, at, size: dataSize, crc: bodyCrc });
  copy.covered += dataSize;
}

/**
 * A page that holds nothing at all yet is where the log goes on; one whose first record is torn is lost until it is erased.
 * The oldest page always stays.
 */
function idlePages(log: Scan["log"], used: ReadonlySet<number>): readonly number[] {
  const idle: number[] = [];
  for (const { page, end } of log.slice(1).reverse()) {
    if (used.has(page) || end === PAGE_HEADER_BYTES) break;
    idle.push(page);
  }
  return idle;
}
