import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { encodeRecord, pageHeader, RECORD_HEADER_BYTES, RecordKind } from "../../../token/storage/format.ts";
import { openStore } from "../../../token/storage/index.ts";
import { createCutFlash, PowerCut } from "../../support/cut-flash.ts";
import { contents, cutEverywhere, same, told } from "../../support/power-cuts.ts";
import { seededRandom } from "../../support/random.ts";
import { onlyBits, seededBits, type Tear } from "../../support/tears.ts";

const geometry = { pageBytes: 1024, pages: 24 };
const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);
const change = (entries: Readonly<Record<string, Uint8Array | undefined>>) => new Map(Object.entries(entries));
const random = seededRandom(3);
const below = (max: number) => new DataView(random.bytes(4).buffer).getUint32(0) % max;

/** A part of the bits of a change; of an erasure any residue. */
const anyBits =
  (seed: string): Tear =>
  (before, after) => {
    const residue = after.byteLength === geometry.pageBytes && seed.length % 3 === 0;
    if (residue) return seed.length % 2 === 0 ? bytes(after.byteLength, 0) : seededRandom(seed).bytes(after.byteLength);
    return onlyBits(seededBits(seed, after.byteLength))(before, after);
  };

/** Does the work until the power cut, if there is one. */
function untilCut(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof PowerCut) return false;
    throw error;
  }
}

describe("storage: power cuts", function () {
  this.timeout(60_000);

  it("values whose bytes look like pages and records stay what they are", () => {
    const record = encodeRecord({ kind: RecordKind.Put, version: 9, total: 3 }, utf8("evil"), bytes(3, 7));
    const marked = concat(record.header, bytes(RECORD_HEADER_BYTES - record.header.byteLength, 0), record.body, bytes(1, 0)); // biome-ignore format: one record
    const page = concat(pageHeader({ sequence: 999, previous: 1, first: 999 }), bytes(8, 0), marked);
    const evil = concat(page, bytes(20, 0xff), marked, marked, page);
    const flash = createRamFlash(geometry);
    const store = openStore(flash);
    for (let i = 0; i < 40; i++) store.commit(change({ [`k${i % 4}`]: concat(bytes(i, 0), evil) }));
    const counts = cutEverywhere({
      ...{ name: "hostile values", geometry, image: flash.image() },
      run(on, tell) {
        const now = openStore(on);
        for (let i = 0; i < 6; i++) {
          tell(contents(now));
          now.commit(change({ [`k${i % 4}`]: concat(bytes(3 * i, 0xff), evil), k3: i === 4 ? undefined : marked }));
        }
        tell(contents(now));
      },
      holds: (_, found) => assert.deepEqual([...found.keys()].filter((key) => !/^k\d$/.test(key)), []), // biome-ignore format: one claim
    });
    console.log(`      ${told(counts)}`);
  });

  it("cut again and again at random, nearly full, with any bits done: never stuck, never a third state", () => {
    let image = createRamFlash(geometry).image();
    let model = new Map<string, Uint8Array>();
    const tally = { full: 0, done: 0 };
    for (let round = 0; round < 600; round++) {
      const flash = createCutFlash(geometry, image);
      flash.cutAt(below(90), anyBits(`${round}`.repeat(1 + below(3))));
      let next = model;
      untilCut(() => {
        const store = openStore(flash);
        for (;;) {
          const key = `k${below(16)}`;
          const value = below(6) === 0 ? undefined : bytes(below(1300), round & 0xff);
          next = new Map([...model].filter(([other]) => other !== key));
          if (value !== undefined) next.set(key, value);
          const changes = change({ [key]: value });
          if (store.commit(changes) === "done") {
            model = next;
            tally.done++;
          } else tally.full++;
        }
      });
      image = flash.image();
      const found = contents(openStore(createRamFlash(geometry, image)));
      assert.ok(same(found, model) || same(found, next), `round ${round}`);
      model = new Map(found);
    }
    assert.ok(tally.full > 20 && tally.done > 1000, JSON.stringify(tally));
  });

  it("in the same place, over and over: no page is wasted for good, wherever it is", () => {
    const prepared = createRamFlash(geometry);
    const store = openStore(prepared);
    for (let i = 0; i < 30; i++) store.commit(change({ [`k${i % 5}`]: bytes(600 + i, i) }));
    const work = (flash: ReturnType<typeof createCutFlash>) =>
      untilCut(() => void openStore(flash).commit(change({ big: bytes(2500, 9), k1: bytes(700, 9) })));
    let cuts = 0;
    for (let at = 0; at < 34; at++) {
      for (const tear of [0.02, 0.3, 1, anyBits("a"), anyBits("bb"), anyBits("ccc"), anyBits("dddddd")]) {
        let image = prepared.image();
        for (let again = 0; again < 40; again++) {
          const flash = createCutFlash(geometry, image);
          flash.cutAt(at, tear);
          if (!work(flash)) cuts++;
          image = flash.image();
        }
        assert.ok(work(createCutFlash(geometry, image)), `operation ${at}`);
      }
    }
    assert.ok(cuts > 2000, `${cuts} cuts`);
  });
});
