import type { Flash } from "../../shared/ports/index.ts";
import { StorageError } from "./error.ts";
import { PAGE_HEADER_BYTES, readPageHeader, SET_MARK } from "./format.ts";
import { readSequence1 } from "./format1.ts";
import { Pages } from "./pages.ts";
import { recover } from "./recover.ts";
import { type Scan, scan } from "./scan.ts";
import { type FlashStore, LogStore } from "./store.ts";

/** Cuts and all, a token leaves so many erased pages. Without them nothing could be moved, and so nothing be stored or wiped. */
const LEAST_ERASED = 4;

/**
 * Opens what is in `flash`, and finishes what a power cut interrupted: the move from format 1, too. An erased flash becomes an empty store.
 * StorageError otherwise.
 */
export function openStore(flash: Flash): FlashStore {
  const found = scan(flash);
  if (found === "foreign") {
    throw new StorageError("not-a-token", "the flash holds something else than a token's storage; erase it to use it");
  }
  const recovered = found === "damaged" ? undefined : recover(found.log);
  if (found === "damaged" || recovered === undefined) {
    throw new StorageError("damaged", "the flash has lost a part of what was stored; erase it to go on without");
  }
  const { values, nextVersion, idle, wipedAt } = recovered;
  for (const at of found.unfinished) flash.program(at, SET_MARK);
  const pages = mendedPages(flash, found, idle);
  if (pages.erased < LEAST_ERASED) {
    throw new StorageError("damaged", "the flash is fuller than a token leaves it; erase it to go on without");
  }
  const store = new LogStore(flash, pages, new Map(values), nextVersion);
  if (wipedAt !== undefined) store.finishWipe(wipedAt);
  if (found.log.some(({ format }) => format === 1)) store.leaveBefore(pages.firstOfFormat2);
  return store;
}

function mendedPages(flash: Flash, { log, stray }: Scan, idle: readonly number[]): Pages {
  const pages = new Pages(flash, log, stray);
  if (log.length === 0 && pages.erased > 0) pages.open(); // while there is no log, a torn erasure could be taken for something else
  for (const page of stray) pages.discard(page);
  if (log.length === 0 && pages.erased === pages.count) pages.open();
  const head = log.at(-1);
  const isOld = head?.format === 1;
  if (isOld && pages.erased === 0) for (const page of idle) pages.discard(page);
  const isEmpty = idle.length === 1 && head?.end === PAGE_HEADER_BYTES;
  if (isOld || (idle.length > 0 && !isEmpty)) pages.dropNewest(idle);
  return pages;
}

/** Makes any flash an erased one, the oldest page of a log first: what is left after a power cut is no log of before. */
export function eraseStorage(flash: Flash): void {
  const { pageBytes, pages } = flash.geometry;
  const age = (page: number): number => {
    const bytes = flash.read(page * pageBytes, pageBytes);
    return readPageHeader(bytes)?.sequence ?? readSequence1(bytes) ?? 0;
  };
  const all = Array.from({ length: pages }, (_, page) => ({ page, age: age(page) }));
  for (const { page } of all.sort((a, b) => a.age - b.age)) flash.erase(page);
}
