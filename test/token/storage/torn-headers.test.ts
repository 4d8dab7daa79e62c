import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { utf8 } from "../../../shared/bytes/index.ts";
import {
  encodeRecord,
  PageHeader,
  pageHeader,
  RecordHeader,
  RecordKind,
  recordSize,
  SEALED_RECORD_HEADER_BYTES,
  unseal,
} from "../../../token/storage/format.ts";
import { openStore } from "../../../token/storage/index.ts";
import { contents, same, writtenFlash } from "../../support/power-cuts.ts";

const WORD_BYTES = 2;
/** After so many of the subsets that are tried the store is started: a prime, so that all words are met. */
const START_EVERY = 1_009;

/** What is left of a header of which one word was programmed in part: all before it and nothing behind it, or the other way round. */
function* wordsTorn(header: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < header.byteLength; at += WORD_BYTES) {
    for (const [before, behind] of [
      [true, false],
      [false, true],
    ]) {
      const torn = header.map((byte, i) => ((i < at ? before : behind) ? byte : 0xff));
      const cleared = ~(((header[at] ?? 0) << 8) | (header[at + 1] ?? 0)) & 0xffff;
      for (let done = cleared; ; done = (done - 1) & cleared) {
        torn[at] = ~(done >> 8);
        torn[at + 1] = ~done;
        yield torn;
        if (done === 0) break;
      }
    }
  }
}

describe("storage: every subset of the bits of each word of a header", function () {
  this.timeout(60_000);
  const headers: Readonly<
    Record<string, { readonly header: Uint8Array; readonly isWhole: (torn: Uint8Array) => boolean }>
  > = {
    page: { header: pageHeader({ sequence: 3, previous: 2, first: 1 }), isWhole: (torn) => unseal(PageHeader, torn) !== undefined }, // biome-ignore format: one row
    ...Object.fromEntries(
      Object.entries(RecordKind).map(([name, kind]) => {
        const { header } = encodeRecord({ kind, version: 7, total: 5 }, utf8("key"), utf8("value"));
        return [name, { header, isWhole: (torn: Uint8Array) => unseal(RecordHeader, torn) !== undefined }];
      }),
    ),
  };

  for (const [name, { header, isWhole }] of Object.entries(headers)) {
    it(`${name}: none is taken for a header but the whole one`, () => {
      let tried = 0;
      for (const torn of wordsTorn(header)) {
        tried++;
        if (isWhole(torn)) assert.deepEqual(torn, header);
      }
      console.log(`      ${tried} subsets of a ${name} header`);
      assert.ok(tried > 10_000);
    });
  }

  it("and the store starts with what it held, whichever is left behind its last record or in its next page", () => {
    const geometry = { pageBytes: 512, pages: 12 };
    const flash = writtenFlash(geometry, createRamFlash(geometry).image());
    const store = openStore(flash);
    store.commit(new Map([["key", utf8("value")]]));
    const last = flash.changes.at(-1)?.at ?? assert.fail();
    const behind = last - SEALED_RECORD_HEADER_BYTES + recordSize("key".length, "value".length);
    const model = contents(store);
    const image = flash.read(0, geometry.pageBytes * geometry.pages);
    for (const [name, { header }] of Object.entries(headers)) {
      const at = name === "page" ? geometry.pageBytes : behind;
      let n = 0;
      for (const torn of wordsTorn(header)) {
        if (n++ % START_EVERY > 0) continue;
        const cut = image.slice();
        cut.set(torn, at);
        assert.ok(same(contents(openStore(createRamFlash(geometry, cut))), model), `${name} ${n}`);
      }
    }
  });
});
