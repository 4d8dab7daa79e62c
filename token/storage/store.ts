import { concat, crc32, utf8 } from "../../shared/bytes/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import { StorageError } from "./error.ts";
import { encodeRecord, PAGE_HEADER_BYTES, RECORD_HEADER_BYTES, RecordKind, recordSize } from "./format.ts";
import type { Pages, Place } from "./pages.ts";
import { type Fragment, type StoredValue, survives } from "./recover.ts";
import {
  checkLimits,
  MIN_PIECE_BYTES,
  MOVING_PAGES,
  pagesFor,
  pagesForDeletions,
  RESERVED_PAGES,
  type Sized,
  StorageLimit,
} from "./room.ts";

/** Keys and values; the `Store` that token/domain asks for. */
export interface FlashStore {
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

export class LogStore implements FlashStore {
  readonly #flash: Flash;
  readonly #pages: Pages;
  readonly #values: Map<string, StoredValue>;
  /** Of the next transaction. */
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
    const { pageBytes, count } = this.#pages;
    const deletesOnly = effective.every(([, value]) => value === undefined);
    const sizes = effective.map(([key, value]): Sized => [key, value?.byteLength ?? 0]);
    const needed = deletesOnly
      ? pagesForDeletions(
          pageBytes,
          sizes.map(([key]) => key),
        )
      : pagesFor(pageBytes, sizes) + 1;
    const left = deletesOnly ? MOVING_PAGES : RESERVED_PAGES - 1;
    if (pagesFor(pageBytes, this.#sizes()) + needed + left + 1 > count) return "storage-full";
    this.#makeRoom(needed + left);
    this.#write(effective);
    return "done";
  }

  wipe(keep = ""): void {
    const name = utf8(keep);
    if (name.byteLength > StorageLimit.KEY_BYTES) throw new RangeError(`storage: a key of ${name.byteLength} bytes`);
    this.#pages.open();
    this.#pages.mark(this.#pages.append(encodeRecord({ kind: RecordKind.Wipe, version: this.#version }, name)));
    for (const key of [...this.#values.keys()]) if (!survives(key, keep)) this.#values.delete(key);
    this.finishWipe(this.#pages.headSequence);
  }

  /** Damage must not stop a wipe: a value that has some is given up. */
  finishWipe(sequence: number): void {
    for (const [key, value] of [...this.#values]) if (!this.#isWhole(key, value)) this.#values.delete(key);
    this.leaveBefore(sequence);
  }

  /** What counts in the pages before this one moves into newer ones; then they are erased. */
  leaveBefore(sequence: number): void {
    while (this.#pages.oldestSequence < sequence) this.#leaveOldest();
  }

  usage() {
    let usedBytes = 0;
    for (const [key, size] of this.#sizes()) usedBytes += utf8(key).byteLength + size;
    const { count, pageBytes } = this.#pages;
    return { usedBytes, capacityBytes: (count - RESERVED_PAGES - 1) * (pageBytes - PAGE_HEADER_BYTES) };
  }

  *#sizes(): Generator<Sized> {
    for (const [key, { size }] of this.#values) yield [key, size];
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
    const written: (readonly [string, StoredValue | undefined])[] = [];
    let last: Place | undefined;
    for (const [key, value] of changes) {
      const put = value && this.#put(RecordKind.Put, key, value, version, (place) => (last = place));
      if (put === undefined) last = this.#delete(key, version);
      written.push([key, put]);
    }
    if (last !== undefined) this.#pages.mark(last);
    for (const [key, value] of written) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }

  #delete(key: string, version: number): Place {
    const record = encodeRecord({ kind: RecordKind.Delete, version }, utf8(key));
    this.#pages.room(record.size);
    return this.#pages.append(record);
  }

  /** In as few pieces as the pages allow; an empty value is one empty piece. */
  #put(kind: PieceKind, key: string, value: Uint8Array, version: number, wrote: (place: Place) => void): StoredValue {
    const name = utf8(key);
    const fragments: Fragment[] = [];
    let offset = 0;
    do {
      const left = value.byteLength - offset;
      const room = this.#pages.room(recordSize(name.byteLength, Math.min(left, MIN_PIECE_BYTES)));
      const size = Math.min(left, room - RECORD_HEADER_BYTES - name.byteLength);
      const data = value.subarray(offset, offset + size);
      const record = encodeRecord({ kind, version, total: value.byteLength, offset }, name, data);
      const place = this.#pages.append(record);
      wrote(place);
      const { page, bodyAt } = place;
      fragments.push({ page, at: bodyAt + name.byteLength, size, crc: record.bodyCrc });
      offset += size;
    } while (offset < value.byteLength);
    return { version, size: value.byteLength, fragments };
  }

  /** Gives up the oldest pages until so many are erased. */
  #makeRoom(erased: number): void {
    for (let round = 0; this.#pages.erased < erased; round++) {
      if (round > 2 * this.#pages.count) throw new Error("storage: no room although the values fit");
      this.#leaveOldest();
    }
  }

  /** What still counts in the oldest page is written anew first. */
  #leaveOldest(): void {
    const { oldest } = this.#pages;
    for (const [key, value] of this.#values) {
      if (!value.fragments.some(({ page }) => page === oldest)) continue;
      const settled = this.#read(key, value);
      this.#values.set(
        key,
        this.#put(RecordKind.Settled, key, settled, value.version, (place) => this.#pages.mark(place)),
      );
    }
    this.#pages.dropOldest();
  }
}

type PieceKind = typeof RecordKind.Put | typeof RecordKind.Settled;
