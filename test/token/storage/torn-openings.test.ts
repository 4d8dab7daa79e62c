import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { concat } from "../../../shared/bytes/index.ts";
import type { Flash, FlashGeometry } from "../../../shared/ports/index.ts";
import { OPENED_MARK_AT, PAGE_HEADER_BYTES, pageHeader, RecordKind } from "../../../token/storage/format.ts";
import { openStore } from "../../../token/storage/index.ts";
import { createCutFlash, PowerCut } from "../../support/cut-flash.ts";
import { layLog } from "../../support/laid-log.ts";
import { type Change, contents, same, tornBy, writtenFlash } from "../../support/power-cuts.ts";
import { keptHeads } from "../../support/tears.ts";

const geometry = { pageBytes: 1024, pages: 20 };
const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);
const put = (key: string, value: Uint8Array) => new Map([[key, value]]);

interface Opening {
  readonly name: string;
  readonly geometry: FlashGeometry;
  readonly image: Uint8Array;
  /** Opens a page at least. */
  run(flash: Flash): void;
}

function grown(): Uint8Array {
  const flash = createRamFlash(geometry);
  const store = openStore(flash);
  for (let i = 0; i < 40; i++) store.commit(put(`k${i % 5}`, bytes(300 + i, i)));
  return flash.image();
}

/** Its newest pages hold a large value whose last change, the mark, was cut off. */
function wasted(): Uint8Array {
  const write = (flash: Flash) => openStore(flash).commit(put("large", bytes(2500, 9)));
  const whole = createCutFlash(geometry, grown());
  assert.equal(write(whole), "done");
  const flash = createCutFlash(geometry, grown());
  flash.cutAt(whole.operations - 1, 0);
  assert.throws(() => write(flash), PowerCut);
  return flash.image();
}

/** The header of the page that is opened next ends with 0, as it does once in 256 times. */
function beforeHeaderWithZero(): Uint8Array {
  let first = 1;
  while (pageHeader({ sequence: first + 1, previous: first, first }).at(-1) !== 0) first++;
  const flash = createRamFlash(geometry);
  const record = { kind: RecordKind.Put, version: 1, total: 300, key: "a", data: bytes(300, 1), marked: true };
  layLog(flash, [[record]], first);
  return flash.image();
}

function* openings(): Generator<Opening> {
  const run = (flash: Flash) => void openStore(flash).commit(put("new", bytes(900, 7)));
  yield { name: "a log that grows", geometry, image: grown(), run };
  yield { name: "a log of one page, whose next header ends with 0", geometry, image: beforeHeaderWithZero(), run };
  yield { name: "a log that leaves what a cut wasted", geometry, image: wasted(), run: openStore };
  yield { name: "a new flash", geometry, image: createRamFlash(geometry).image(), run: openStore };
  const old = new Uint8Array(gunzipSync(readFileSync("test/vectors/storage-1/smallest.img.gz")));
  yield { name: "a log of format 1", geometry: { pageBytes: 1024, pages: 14 }, image: old, run: openStore };
}

/** What a cut may leave of a page that is being opened: its header in part or whole, its mark unset or half set. */
function* unopened(header: Uint8Array): Generator<Uint8Array> {
  const erased = bytes(PAGE_HEADER_BYTES, 0xff);
  for (let done = header.byteLength - 8; done <= header.byteLength; done++) {
    yield concat(header.subarray(0, done), erased.subarray(done));
  }
  const whole = concat(header, erased.subarray(header.byteLength));
  for (const half of [0xfe, 0x7f, 0x80, 0x01]) yield whole.with(OPENED_MARK_AT, half);
}

/** Everything that the second cut may leave: of an erasure also as many bytes as it may, one after the other, with 0 behind them. */
function* residues(change: Change, seed: string): Generator<Uint8Array> {
  yield* tornBy(change, seed);
  if (change.what === "program") return;
  for (let kept = 0; kept <= PAGE_HEADER_BYTES + 8; kept++) yield* keptHeads(change.before, kept, seed);
}

function startsWith(flash: Flash, model: ReturnType<typeof contents>, where: string): void {
  try {
    assert.ok(same(contents(openStore(flash)), model), "another state");
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
}

/** Cuts the next start at each of its changes until it has erased a page, in every way, and starts again. The number of those cuts. */
function cutNextStart(geometry: FlashGeometry, image: Uint8Array, seed: string): number {
  const mending = writtenFlash(geometry, image);
  const model = contents(openStore(mending));
  const erasure = mending.changes.findIndex(({ what }) => what === "erase");
  const at = image.slice();
  let cuts = 0;
  for (const [n, change] of mending.changes.slice(0, erasure + 1).entries()) {
    for (const torn of residues(change, seed)) {
      at.set(torn, change.at);
      startsWith(createRamFlash(geometry, at), model, `${seed}, cut ${cuts++}, at change ${n} of the next start`);
    }
    at.set(change.after, change.at);
  }
  return cuts;
}

describe("storage: a page whose opening was cut, and then the start that erases it", function () {
  this.timeout(60_000);

  for (const { name, geometry, image, run } of openings()) {
    it(`${name}: nothing is lost, whatever both cuts leave`, () => {
      const flash = writtenFlash(geometry, image);
      run(flash);
      const cut = image.slice();
      let [pages, cuts] = [0, 0];
      for (const { what, at, after } of flash.changes) {
        if (what === "program" && at % geometry.pageBytes === 0 && after.some((byte) => byte > 0)) {
          pages++;
          for (const [n, torn] of [...unopened(after)].entries()) {
            const left = cut.slice();
            left.set(torn, at);
            cuts += cutNextStart(geometry, left, `${name}: page ${at / geometry.pageBytes}, left ${n}`);
          }
        }
        cut.set(after, at);
      }
      console.log(`      ${pages} openings, ${cuts} pairs of cuts`);
      assert.ok(pages > 0 && cuts > 1_000, `${pages} ${cuts}`);
    });
  }
});
