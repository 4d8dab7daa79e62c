import { concat, crc32, encode, utf8 } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import {
  COMMIT_BYTES,
  CommitData,
  encodeRecord,
  isErased,
  MAX_PADDING_BYTES,
  PAGE_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  RecordKind,
  recordSize,
} from "./format.ts";
import { Pages } from "./pages.ts";
import { type Fragment, recover, type StoredValue, survives } from "./recover.ts";
import { scan } from "./scan.ts";

export const StorageLimit = {
  /** In UTF-8. */
  KEY_BYTES: 192,
  /** An owner's chain of three large certificates fits. */
  VALUE_BYTES: 16_384,
} as const;

/** Erased pages that a value never takes: moving the values of one page needs up to six of them, and a cut may waste one. */
const MOVING_PAGES = 7;
/** Room in which a full store deletes, all together with their commit: 50 keys of 134 bytes. */
const DELETION_PAGES = 2;
const RESERVED_PAGES = MOVING_PAGES + DELETION_PAGES;
/** A piece of a value smaller than this waits for the next page. */
const MIN_PIECE_BYTES = 32;

/** The flash holds what a token never leaves there. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly reason: "not-a-token" | "damaged";

  constructor(reason: StorageError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Keys and values; the `Store` that token/domain asks for. */
interface FlashStore {
  /** StorageError when the flash lost bits of it. */
  get(key: string): Uint8Array | undefined;
  /** Sorted. */
  keys(prefix: string): readonly string[];
  /**
   * All changes or none, also when power is cut at any instant; undefined deletes. `storage-full`: nothing was changed; 50
   * deletions of keys up to 134 bytes always fit. RangeError for keys and values over StorageLimit.
   */
  commit(changes: ReadonlyMap<string, Uint8Array | undefined>): "done" | "storage-full";
  /**
   * Erases every page that holds anything, so that no byte is left but what is under keys that begin with `keep`, which
   * outlives it. A power cut during it is made up for at the next start.
   */
  wipe(keep?: string): void;
  /** Bytes of values and their keys, and about how many fit in all. */
  usage(): { readonly usedBytes: number; readonly capacityBytes: number };
}

/** Opens what is in `flash`, and finishes what a power cut interrupted; an erased flash becomes an empty store. StorageError otherwise. */
export function openStore(flash: Flash): FlashStore {
  const found = scan(flash);
  if (found === undefined) {
    throw new StorageError("not-a-token", "the flash holds something else than a token's storage; erase it to use it");
  }
  const recovered = recover(flash, found);
  if (recovered === undefined) {
    throw new StorageError("damaged", "the flash has lost a part of what was stored; erase it to go on without");
  }
  const { values, nextVersion, idle, wipedAt } = recovered;
  for (const page of [...found.torn, ...idle]) flash.erase(page);
  const log = found.log.filter(({ page }) => !idle.includes(page));
  const pages = new Pages(flash, log);
  if (pages.erased < MOVING_PAGES - 1) {
    // Cuts and all, a token leaves so many. Without them nothing could be moved, and so nothing be stored or wiped.
    throw new StorageError("damaged", "the flash is fuller than a token leaves it; erase it to go on without");
  }
  const store = new LogStore(flash, pages, new Map(values), nextVersion);
  if (wipedAt !== undefined) store.finishWipe(wipedAt);
  return store;
}

/** For a flash that `openStore` refuses: afterwards it opens, empty. */
export function eraseStorage(flash: Flash): void {
  const { pages, pageBytes } = flash.geometry;
  for (let page = 0; page < pages; page++) {
    if (!isErased(flash.read(page * pageBytes, pageBytes))) flash.erase(page);
  }
}

class LogStore implements FlashStore {
  readonly #flash: Flash;
  readonly #pages: Pages;
  readonly #values: Map<string, StoredValue>;
  #version: number;

  constructor(flash: Flash, pages: Pages, values: Map<string, StoredValue>, version: number) {
    this.#flash = flash;
    this.#pages = pages;
    this.#values = values;
    this.#version = version;
  }

  get(key: string): Uint8Array | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : this.#read(key, value);
  }

  keys(prefix: string): readonly string[] {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  commit(changes: ReadonlyMap<string, Uint8Array | undefined>): "done" | "storage-full" {
    const effective = [...changes].filter(([key, value]) => value !== undefined || this.#values.has(key));
    for (const [key, value] of effective) checkLimits(key, value);
    if (effective.length === 0) return "done";
    const deletesOnly = effective.every(([, value]) => value === undefined);
    const needed = deletesOnly
      ? this.#pagesForDeletions(effective.map(([key]) => key))
      : this.#pagesFor(effective.map(([key, value]) => [key, value?.byteLength ?? 0])) + 1;
    const left = deletesOnly ? MOVING_PAGES : RESERVED_PAGES - 1;
    if (this.#pagesFor(this.#sizes()) + needed + left + 1 > this.#pages.count) return "storage-full";
    this.#makeRoom(needed + left);
    this.#write(effective);
    return "done";
  }

  wipe(keep = ""): void {
    const name = utf8(keep);
    if (name.byteLength > StorageLimit.KEY_BYTES) throw new RangeError(`storage: a key of ${name.byteLength} bytes`);
    const header = { kind: RecordKind.Wipe, version: this.#version, total: 0, offset: 0 };
    const record = encodeRecord(header, name, NO_DATA);
    this.#pages.room(record.byteLength);
    this.#pages.append(record);
    for (const key of [...this.#values.keys()]) if (!survives(key, keep)) this.#values.delete(key);
    this.finishWipe(this.#pages.headSequence);
  }

  /** Erases all up to the page with the order to wipe, that one last. What is kept moves on before, into fresh pages. */
  finishWipe(sequence: number): void {
    for (const [key, value] of [...this.#values]) if (!this.#isWhole(key, value)) this.#values.delete(key); // damage must not stop a wipe
    if (this.#pages.headSequence === sequence) this.#pages.open();
    while (this.#pages.oldestSequence <= sequence) this.#giveUpOldest();
  }

  usage() {
    const usedBytes = this.#sizes().reduce((sum, [key, size]) => sum + utf8(key).byteLength + size, 0);
    const { count, pageBytes } = this.#pages;
    return { usedBytes, capacityBytes: (count - RESERVED_PAGES - 1) * (pageBytes - PAGE_HEADER_BYTES) };
  }

  #sizes(): [string, number][] {
    return [...this.#values].map(([key, { size }]) => [key, size]);
  }

  #read(key: string, { fragments }: StoredValue): Uint8Array {
    const name = utf8(key);
    const parts = fragments.map(({ at, size, crc }) => {
      const data = this.#flash.read(at, size);
      if (crc32(name, data) !== crc) throw new StorageError("damaged", `the flash has lost a part of ${key}`);
      return data;
    });
    return concat(...parts);
  }

  #isWhole(key: string, value: StoredValue): boolean {
    try {
      return this.#read(key, value).byteLength === value.size;
    } catch (error) {
      if (error instanceof StorageError) return false;
      throw error;
    }
  }

  #write(changes: readonly (readonly [string, Uint8Array | undefined])[]): void {
    const version = this.#version++;
    const since = this.#pages.headSequence;
    const written = new Map<string, readonly Fragment[]>();
    let records = 0;
    for (const [key, value] of changes) {
      const fragments =
        value === undefined ? this.#deletion(key, version) : this.#put(RecordKind.Put, key, value, version);
      written.set(key, fragments);
      records += Math.max(1, fragments.length);
    }
    const data = encode(CommitData, { since, records });
    const commit = encodeRecord({ kind: RecordKind.Commit, version, total: 0, offset: 0 }, NO_KEY, data);
    this.#pages.room(commit.byteLength);
    this.#pages.append(commit);
    for (const [key, value] of changes) {
      const fragments = written.get(key) ?? [];
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, { version, size: value.byteLength, fragments });
    }
  }

  #deletion(key: string, version: number): readonly Fragment[] {
    const record = encodeRecord({ kind: RecordKind.Delete, version, total: 0, offset: 0 }, utf8(key), NO_DATA);
    this.#pages.room(record.byteLength);
    this.#pages.append(record);
    return [];
  }

  /** In as few pieces as the pages allow; an empty value is one empty piece. */
  #put(
    kind: typeof RecordKind.Put | typeof RecordKind.Settled,
    key: string,
    value: Uint8Array,
    version: number,
  ): readonly Fragment[] {
    const name = utf8(key);
    const fragments: Fragment[] = [];
    let offset = 0;
    do {
      const left = value.byteLength - offset;
      const room = this.#pages.room(recordSize(name.byteLength, Math.min(left, MIN_PIECE_BYTES)));
      const size = Math.min(left, room - RECORD_HEADER_BYTES - name.byteLength);
      const data = value.subarray(offset, offset + size);
      const record = encodeRecord({ kind, version, total: value.byteLength, offset }, name, data);
      const { page, at } = this.#pages.append(record);
      fragments.push({ page, at: at + RECORD_HEADER_BYTES + name.byteLength, size, crc: crc32(name, data) });
      offset += size;
    } while (offset < value.byteLength);
    return fragments;
  }

  /** Erases the oldest pages until so many are erased. What still counts in them is written anew first. */
  #makeRoom(erased: number): void {
    for (let round = 0; this.#pages.erased < erased; round++) {
      if (round > 2 * this.#pages.count) throw new Error("storage: no room although the values fit");
      this.#giveUpOldest();
    }
  }

  #giveUpOldest(): void {
    const { oldest } = this.#pages;
    for (const [key, value] of this.#values) {
      if (!value.fragments.some(({ page }) => page === oldest)) continue;
      const fragments = this.#put(RecordKind.Settled, key, this.#read(key, value), value.version);
      this.#values.set(key, { ...value, fragments });
    }
    this.#pages.eraseOldest();
  }

  /** Pages that such deletions and their commit open at most, wherever they begin. */
  #pagesForDeletions(keys: readonly string[]): number {
    const sizes = [...keys.map((key) => recordSize(utf8(key).byteLength, 0)), recordSize(0, COMMIT_BYTES)];
    let [pages, room] = [0, 0];
    for (const size of sizes) {
      if (size > room) [pages, room] = [pages + 1, this.#pages.pageBytes - PAGE_HEADER_BYTES];
      room -= size;
    }
    return pages;
  }

  /** Pages that such values take at most, however they fall. */
  #pagesFor(values: readonly (readonly [string, number])[]): number {
    const overhead = RECORD_HEADER_BYTES + MAX_PADDING_BYTES;
    const usable = this.#pages.pageBytes - PAGE_HEADER_BYTES - overhead - StorageLimit.KEY_BYTES - MIN_PIECE_BYTES;
    const bytes = values.reduce((sum, [key, size]) => {
      const pieces = 2 + Math.floor(size / usable);
      return sum + size + pieces * (overhead + utf8(key).byteLength);
    }, 0);
    return Math.ceil(bytes / usable);
  }
}

const NO_KEY = new Uint8Array();
const NO_DATA = new Uint8Array();

function checkLimits(key: string, value: Uint8Array | undefined): void {
  const keyBytes = utf8(key).byteLength;
  if (keyBytes === 0 || keyBytes > StorageLimit.KEY_BYTES) throw new RangeError(`storage: a key of ${keyBytes} bytes`);
  if (value !== undefined && value.byteLength > StorageLimit.VALUE_BYTES) {
    throw new RangeError(`storage: ${value.byteLength} bytes for ${key}, ${StorageLimit.VALUE_BYTES} at most`);
  }
}
