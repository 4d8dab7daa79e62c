/** The token's storage under flash images that nobody wrote, and under records with right checksums that make no sense. */
import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { CodecError, Reader, utf8 } from "../../../shared/bytes/index.ts";
import type { Flash } from "../../../shared/ports/index.ts";
import { PAGE_HEADER_BYTES, RecordKind, recordSize } from "../../../token/storage/format.ts";
import { openStore, StorageError } from "../../../token/storage/index.ts";
import { type LaidRecord, layLog } from "../../support/laid-log.ts";

/** Pages that still hold a piece under the longest key, and few of them, so that an input fills a good part. */
const GEOMETRY = { pageBytes: 512, pages: 12 };
const SIZE = GEOMETRY.pageBytes * GEOMETRY.pages;
const KINDS = Object.values(RecordKind);

/** Opens, reads everything, writes and opens again; refused with StorageError, here a CodecError, which storage itself lets out never. */
function use(flash: Flash): void {
  try {
    const store = openStore(flash);
    for (const key of store.keys("")) store.get(key);
    const value = utf8("new");
    if (store.commit(new Map([["new", value]])) === "done") assert.deepEqual(openStore(flash).get("new"), value);
  } catch (error) {
    if (error instanceof StorageError) throw new CodecError(error.message, "", 0, { cause: error });
    throw new Error(String(error), { cause: error });
  }
}

/** The input is the beginning of the image; the rest is erased. */
export function openImage(input: Uint8Array): void {
  const image = new Uint8Array(SIZE).fill(0xff);
  image.set(input.subarray(0, SIZE));
  use(createRamFlash(GEOMETRY, image));
}

/** Seven bytes of input for each record, then its data. */
export function openRecords(input: Uint8Array): void {
  const from = new Reader(input);
  const pages: LaidRecord[][] = [];
  let room = 0;
  while (from.remaining >= 7) {
    const what = from.u8();
    const kind = KINDS[(what & 0x7f) % KINDS.length] ?? RecordKind.Put;
    const [version, total, offset] = [from.u8(), from.u8(), from.u8()];
    const key = String.fromCharCode(0x61 + (from.u8() % 4)).repeat(from.u8() % 4);
    const data = from.bytes(Math.min(from.remaining - 1, from.u8() % 32));
    const size = recordSize(key.length, data.byteLength);
    if (size > room) {
      if (pages.length === GEOMETRY.pages) break;
      pages.push([]);
      room = GEOMETRY.pageBytes - PAGE_HEADER_BYTES;
    }
    pages.at(-1)?.push({ kind, version, total, offset, key, data, marked: what >= 0x80 });
    room -= size;
  }
  const flash = createRamFlash(GEOMETRY);
  layLog(flash, pages);
  use(flash);
}

/** A value in two pieces, and a deletion. */
export const sampleRecords = Uint8Array.from([
  ...[0, 1, 5, 0, 1, 1, 3, 7, 8, 9],
  ...[0x80, 1, 5, 3, 1, 1, 2, 7, 8],
  ...[0x82, 2, 0, 0, 0, 1, 0],
]);

export const sampleImage = (() => {
  const flash = createRamFlash(GEOMETRY);
  const store = openStore(flash);
  store.commit(new Map([["aik", utf8("a value")], ["rim", new Uint8Array(450)]])); // biome-ignore format: one line
  store.commit(new Map([["aik", undefined], ["owner", utf8("x")]])); // biome-ignore format: as above
  return flash.image().slice(0, 3 * GEOMETRY.pageBytes);
})();
