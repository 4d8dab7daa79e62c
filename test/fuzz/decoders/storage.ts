/** The token's storage under flash images that nobody wrote, and under records with right checksums that make no sense. */
import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { CodecError, Reader, utf8 } from "../../../shared/bytes/index.ts";
import type { Flash } from "../../../shared/ports/index.ts";
import { encodeRecord, PAGE_HEADER_BYTES, pageHeader, RecordKind, recordSize } from "../../../token/storage/format.ts";
import { openStore, StorageError } from "../../../token/storage/index.ts";

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
  const flash = createRamFlash(GEOMETRY);
  let [page, at] = [-1, GEOMETRY.pageBytes];
  while (from.remaining >= 7) {
    const kind = KINDS[from.u8() % KINDS.length] ?? RecordKind.Put;
    const [version, total, offset] = [from.u8(), from.u8(), from.u8()];
    const key = new Uint8Array(from.u8() % 4).fill(0x61 + (from.u8() % 4));
    const data = from.bytes(Math.min(from.remaining - 1, from.u8() % 32));
    if (at + recordSize(key.byteLength, data.byteLength) > GEOMETRY.pageBytes) {
      if (++page === GEOMETRY.pages) break;
      flash.program(page * GEOMETRY.pageBytes, pageHeader(page + 1));
      at = PAGE_HEADER_BYTES;
    }
    flash.program(page * GEOMETRY.pageBytes + at, encodeRecord({ kind, version, total, offset }, key, data));
    at += recordSize(key.byteLength, data.byteLength);
  }
  use(flash);
}

/** A value, and its commit with `since` and `records`. */
export const sampleRecords = Uint8Array.from([
  ...[0, 1, 3, 0, 1, 0, 3, 7, 8, 9],
  ...[3, 1, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0, 1],
]);

export const sampleImage = (() => {
  const flash = createRamFlash(GEOMETRY);
  const store = openStore(flash);
  store.commit(new Map([["aik", utf8("a value")], ["rim", new Uint8Array(450)]])); // biome-ignore format: one line
  store.commit(new Map([["aik", undefined], ["owner", utf8("x")]])); // biome-ignore format: as above
  return flash.image().slice(0, 3 * GEOMETRY.pageBytes);
})();
