import type { Flash } from "../../shared/ports/index.ts";
import { StorageError } from "./error.ts";
import {
  CLOSED_MARK_AT,
  encodeRecord,
  OPENED_MARK_AT,
  PAGE_HEADER_BYTES,
  pageHeader,
  RECORD_HEADER_BYTES,
  type Record,
  RecordKind,
  SEALED_RECORD_HEADER_BYTES,
  SET_MARK,
  SPOILT_PAGE_HEADER,
} from "./format.ts";
import type { LogPage } from "./scan.ts";

type OpenPage = Pick<LogPage, "page" | "sequence" | "format">;

/** Where a record was put. */
export interface Place {
  readonly page: number;
  /** Of the record, and of its body, in the flash. */
  readonly at: number;
  readonly bodyAt: number;
}

/**
 * The pages of the log: it grows at its head, into the erased page that follows in the flash, and gives up its oldest, so that all pages are
 * erased equally often. A page is erased only after a newer one says that it is not of the log any more, or its own header is spoilt: whatever
 * a cut leaves in it, nobody reads it.
 */
export class Pages {
  readonly #flash: Flash;
  /** Oldest first. */
  #log: OpenPage[];
  readonly #erased: Set<number>;
  /** The one that was opened last. */
  #newest: OpenPage | undefined;
  /** Where in the head the next record goes. */
  #end: number;
  #failed = false;

  constructor(flash: Flash, log: readonly LogPage[], stray: readonly number[]) {
    this.#flash = flash;
    this.#log = [...log];
    this.#newest = log.at(-1);
    this.#end = log.at(-1)?.end ?? flash.geometry.pageBytes;
    const used = new Set([...log.map(({ page }) => page), ...stray]);
    this.#erased = new Set(Array.from({ length: flash.geometry.pages }, (_, page) => page).filter((p) => !used.has(p)));
  }

  get count(): number {
    return this.#flash.geometry.pages;
  }

  get pageBytes(): number {
    return this.#flash.geometry.pageBytes;
  }

  get erased(): number {
    return this.#erased.size;
  }

  get oldest(): number | undefined {
    return this.#log[0]?.page;
  }

  get oldestSequence(): number {
    return this.#log[0]?.sequence ?? 0;
  }

  get headSequence(): number {
    return this.#log.at(-1)?.sequence ?? 0;
  }

  /** Sequence of the oldest page that is not of format 1. */
  get firstOfFormat2(): number {
    return this.#log.find(({ format }) => format === 2)?.sequence ?? 0;
  }

  /** Bytes left in the head, which is a fresh page when there were fewer than `size`. */
  room(size: number): number {
    if (this.pageBytes - this.#end < size) this.open();
    return this.pageBytes - this.#end;
  }

  append({ header, body, size }: Record): Place {
    const head = this.#log.at(-1);
    if (head === undefined || this.pageBytes - this.#end < size) throw new Error("storage: no room was made");
    const at = head.page * this.pageBytes + this.#end;
    const bodyAt = at + RECORD_HEADER_BYTES;
    this.#program(at, header);
    if (body.byteLength > 0) this.#program(bodyAt, body);
    this.#end += size;
    return { page: head.page, at, bodyAt };
  }

  /** Makes a record count, and with it those of its transaction. */
  mark({ at }: Place): void {
    this.#program(at + SEALED_RECORD_HEADER_BYTES, SET_MARK);
  }

  /** Makes a page the head. */
  open(): void {
    const page = this.#nextErased();
    const [first, previous] = [this.#log[0], this.#log.at(-1)];
    const sequence = (this.#newest?.sequence ?? 0) + 1;
    const place = { sequence, previous: previous?.sequence ?? 0, first: first?.sequence ?? sequence };
    const at = page * this.pageBytes;
    this.#erased.delete(page);
    this.#program(at, pageHeader(place));
    this.#program(at + OPENED_MARK_AT, SET_MARK);
    if (previous?.format === 2) this.#program(previous.page * this.pageBytes + CLOSED_MARK_AT, SET_MARK);
    this.#newest = { page, sequence, format: 2 };
    this.#log.push(this.#newest);
    this.#end = PAGE_HEADER_BYTES;
  }

  /** Erases the oldest page, in which nothing counts any more. */
  dropOldest(): void {
    const next = this.#log[1];
    if (next === undefined) throw new Error("storage: the head cannot be erased");
    const begin = encodeRecord({ kind: RecordKind.Begin, version: next.sequence });
    this.room(begin.size);
    this.mark(this.append(begin));
    for (const { page } of this.#log.splice(0, 1)) this.#erase(page);
  }

  /** Erases these, the newest of the log, in which nothing counts, once the log goes on elsewhere. */
  dropNewest(pages: readonly number[]): void {
    this.#log = this.#log.filter(({ page }) => !pages.includes(page));
    const used = pages.filter((page) => !this.#erased.has(page)); // one that is erased already may be the page that is opened
    this.open();
    for (const page of used) this.#erase(page);
  }

  /**
   * Erases a page of which nothing newer says that it is void, as one whose opening was cut: its header may be whole, and name the head as the
   * page before it. It is spoilt first. A cut leaves the mark unset meanwhile, and of the erasure no page that reads as opened.
   */
  discard(page: number): void {
    this.#program(page * this.pageBytes, SPOILT_PAGE_HEADER);
    this.#erase(page);
  }

  /** A page that a newer one put off the log. */
  #erase(page: number): void {
    this.#change(() => this.#flash.erase(page));
    this.#erased.add(page);
  }

  /** The next one in the flash, behind the one that was opened last. */
  #nextErased(): number {
    const after = this.#newest?.page ?? this.count - 1;
    for (let step = 1; step <= this.count; step++) {
      const page = (after + step) % this.count;
      if (this.#erased.has(page)) return page;
    }
    throw new StorageError("damaged", "no page of the flash is free; erase it to go on without what was stored");
  }

  #program(at: number, data: Uint8Array): void {
    this.#change(() => this.#flash.program(at, data));
  }

  /** After a change that failed nobody knows what the flash holds: the next start reads it. */
  #change(run: () => void): void {
    if (this.#failed) throw new Error("storage: changing the flash failed before");
    this.#failed = true;
    run();
    this.#failed = false;
  }
}
