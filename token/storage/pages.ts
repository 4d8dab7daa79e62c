import type { Flash } from "../../shared/ports/index.ts";
import { PAGE_HEADER_BYTES, pageHeader } from "./format.ts";

interface OpenPage {
  readonly page: number;
  readonly sequence: number;
}

/**
 * The pages of the log, a ring: it grows at the head into the next page and is erased at its oldest, so that all pages are
 * erased equally often.
 */
export class Pages {
  readonly #flash: Flash;
  /** Oldest first. */
  readonly #log: OpenPage[];
  /** Where in the head the next record goes. */
  #end: number;

  constructor(flash: Flash, log: readonly (OpenPage & { readonly end: number })[]) {
    this.#flash = flash;
    this.#log = log.map(({ page, sequence }) => ({ page, sequence }));
    this.#end = log.at(-1)?.end ?? flash.geometry.pageBytes;
    if (log.length === 0) this.open();
  }

  get count(): number {
    return this.#flash.geometry.pages;
  }

  get pageBytes(): number {
    return this.#flash.geometry.pageBytes;
  }

  get erased(): number {
    return this.count - this.#log.length;
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

  /** Bytes left in the head, which is a fresh page when there were fewer than `size`. */
  room(size: number): number {
    if (this.pageBytes - this.#end < size) this.open();
    return this.pageBytes - this.#end;
  }

  append(record: Uint8Array): { readonly page: number; readonly at: number } {
    const head = this.#log.at(-1);
    if (head === undefined || this.pageBytes - this.#end < record.byteLength)
      throw new Error("storage: no room was made");
    const at = head.page * this.pageBytes + this.#end;
    this.#end += record.byteLength; // also when programming fails half-way: nothing goes over what may lie there
    this.#flash.program(at, record);
    return { page: head.page, at };
  }

  /** The next page becomes the head. */
  open(): void {
    if (this.erased === 0) throw new Error("storage: no erased page is left");
    const head = this.#log.at(-1);
    const next =
      head === undefined
        ? { page: 0, sequence: 1 }
        : { page: (head.page + 1) % this.count, sequence: head.sequence + 1 };
    this.#log.push(next);
    this.#end = PAGE_HEADER_BYTES;
    this.#flash.program(next.page * this.pageBytes, pageHeader(next.sequence));
  }

  eraseOldest(): void {
    const oldest = this.#log[0];
    if (oldest === undefined || this.#log.length < 2) throw new Error("storage: the head cannot be erased");
    this.#flash.erase(oldest.page);
    this.#log.shift();
  }
}
