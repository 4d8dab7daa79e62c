import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { encode, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { FlashGeometry } from "../../../shared/ports/index.ts";
import {
  ERASED_HALF_WORD,
  encodeRecord,
  MAGIC,
  paddedSize,
  RecordKind,
  SEALED_RECORD_HEADER_BYTES,
  seal,
} from "../../../token/storage/format.ts";
import { CommitData, PAGE_HEADER_1_BYTES, PageHeader1 } from "../../../token/storage/format1.ts";
import { openStore, StorageError } from "../../../token/storage/index.ts";
import { contents, cutEverywhere, type Model, told } from "../../support/power-cuts.ts";

interface Vector extends FlashGeometry {
  readonly name: string;
  readonly keys: number;
  readonly sha256: string;
}

const FOLDER = "test/vectors/storage-1";
const vectors = JSON.parse(readFileSync(`${FOLDER}/index.json`, "utf8")) as readonly Vector[];
const imageOf = (name: string) => new Uint8Array(gunzipSync(readFileSync(`${FOLDER}/${name}.img.gz`)));

/** As test/vectors/README.md says. */
function digestOf(model: Model): string {
  const entries = [...model].map(([key, value]) => [key, toHex(digest("sha256", value))]);
  return toHex(digest("sha256", utf8(JSON.stringify(entries))));
}

const holdsFormat1 = (image: Uint8Array): boolean =>
  Buffer.from(image).includes(Buffer.from("FOBN\0\x01\xff\xff", "latin1"));

/** No page of it is erased: the newest hold pieces that were never committed, and so count for nothing. */
function withoutErasedPage(geometry: FlashGeometry, idle: number): Uint8Array {
  const flash = createRamFlash(geometry);
  for (let page = 0; page < geometry.pages; page++) {
    const [sequence, version] = [page + 1, page + 1];
    const put = encodeRecord({ kind: RecordKind.Put, version, total: 1 }, utf8(`k${page}`), Uint8Array.of(page));
    const data = encode(CommitData, { since: sequence, records: 1 });
    const commit = encodeRecord({ kind: RecordKind.Commit, version }, undefined, data);
    let at = page * geometry.pageBytes;
    flash.program(at, seal(PageHeader1, { magic: MAGIC, format: 1, reserved: ERASED_HALF_WORD, sequence }));
    at += PAGE_HEADER_1_BYTES;
    for (const { header, body } of page < geometry.pages - idle ? [put, commit] : [put]) {
      flash.program(at, header);
      flash.program(at + SEALED_RECORD_HEADER_BYTES, body);
      at += SEALED_RECORD_HEADER_BYTES + paddedSize(body.byteLength);
    }
  }
  return flash.image();
}

describe("storage: from format 1 to format 2", function () {
  this.timeout(60_000);

  for (const { name, keys, sha256, ...geometry } of vectors) {
    it(`${name}: every value is there, in format 2 alone, and can be deleted and written`, () => {
      const flash = createRamFlash(geometry, imageOf(name));
      assert.ok(holdsFormat1(flash.image()));
      const found = contents(openStore(flash));
      assert.deepEqual([found.size, digestOf(found)], [keys, sha256]);
      assert.ok(!holdsFormat1(flash.image()));
      const store = openStore(flash);
      assert.equal(digestOf(contents(store)), sha256);
      for (const key of [...found.keys()].slice(0, 40)) assert.equal(store.commit(new Map([[key, undefined]])), "done");
      assert.equal(store.commit(new Map([["new", utf8("value")]])), "done");
      assert.equal(openStore(flash).keys("").length, 1 + Math.max(0, keys - 40));
    });
  }

  for (const { name, keys: _, sha256, ...geometry } of vectors) {
    const few = name !== "smallest";
    if (["round", "full", "tiny-values", "small-values"].includes(name)) continue; // the same pages as in young, and more of them
    it(`${name}: cut at each change of the move${few ? "" : " in every way"}, nothing is lost`, () => {
      const image = imageOf(name);
      const model = contents(openStore(createRamFlash(geometry, image)));
      assert.equal(digestOf(model), sha256);
      const counts = cutEverywhere({
        ...{ name, geometry, image, few },
        run(flash, tell) {
          tell(model);
          openStore(flash);
        },
        holds: (flash) => assert.ok(!holdsFormat1(flash.read(0, geometry.pageBytes * geometry.pages))),
      });
      console.log(`      ${told(counts)}`);
    });
  }

  it("without an erased page: cut at each change of the move, nothing is lost", () => {
    const geometry = { pageBytes: 512, pages: 14 };
    const image = withoutErasedPage(geometry, 6);
    const model: Model = new Map(Array.from({ length: 8 }, (_, i) => [`k${i}`, Uint8Array.of(i)]));
    const counts = cutEverywhere({
      ...{ name: "without an erased page", geometry, image },
      run(flash, tell) {
        tell(model);
        openStore(flash);
      },
      holds: (flash) => assert.ok(!holdsFormat1(flash.read(0, geometry.pageBytes * geometry.pages))),
    });
    console.log(`      ${told(counts)}`);
  });

  it("each flipped bit is told, or changes nothing but what a cut may have left", () => {
    const { name, keys: _, sha256, ...geometry } = vectors.find((vector) => vector.name === "small") ?? assert.fail();
    const image = imageOf(name);
    let refused = 0;
    for (let bit = 0; bit < 8 * image.byteLength; bit += 61) {
      image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        openStore(createRamFlash(geometry, image));
      } catch (error) {
        assert.ok(error instanceof StorageError, String(error));
        refused++;
      }
      image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
    assert.ok(refused > 1000, `${refused}`);
    assert.equal(digestOf(contents(openStore(createRamFlash(geometry, image)))), sha256);
  });
});
