import assert from "node:assert/strict";
import fc from "fast-check";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { crc32, utf8 } from "../../../shared/bytes/index.ts";
import { RecordKind } from "../../../token/storage/format.ts";
import { eraseStorage, openStore, StorageError, StorageLimit } from "../../../token/storage/index.ts";
import { createCutFlash } from "../../support/cut-flash.ts";
import { layLog } from "../../support/laid-log.ts";
import { contents, same } from "../../support/power-cuts.ts";
import { seededRandom } from "../../support/random.ts";

const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);
const change = (entries: Readonly<Record<string, Uint8Array | undefined>>) => new Map(Object.entries(entries));
type Model = Map<string, Uint8Array>;

function applied(model: ReadonlyMap<string, Uint8Array>, changes: ReadonlyMap<string, Uint8Array | undefined>): Model {
  const next = new Map(model);
  for (const [key, value] of changes) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("storage: key-value on a record log", () => {
  it("checks its records with CRC-32 (IEEE 802.3: 123456789 gives CBF43926)", () => {
    assert.equal(crc32(utf8("12345"), utf8("6789")), 0xcbf4_3926);
  });

  it("keeps what was committed over a restart", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    assert.equal(store.commit(change({ a: bytes(10, 1), "b/1": bytes(6000, 2), "b/2": bytes(0, 0) })), "done");
    assert.equal(store.commit(change({ a: bytes(11, 3), "b/1": undefined })), "done");
    for (const now of [store, openStore(flash)]) {
      assert.deepEqual(now.keys("b/"), ["b/2"]);
      assert.deepEqual(contents(now), new Map([["a", bytes(11, 3)], ["b/2", bytes(0, 0)]])); // biome-ignore format: one map
      assert.equal(now.get("b/1"), undefined);
    }
  });

  it("takes values up to the limit and refuses callers who go beyond", () => {
    const store = openStore(createRamFlash());
    const key = "k".repeat(StorageLimit.KEY_BYTES);
    store.commit(change({ [key]: bytes(StorageLimit.VALUE_BYTES, 5) }));
    assert.deepEqual(store.get(key), bytes(StorageLimit.VALUE_BYTES, 5));
    assert.throws(() => store.commit(change({ [`${key}k`]: bytes(1, 1) })), RangeError);
    assert.throws(() => store.commit(change({ "": bytes(1, 1) })), RangeError);
    assert.throws(() => store.commit(change({ a: bytes(StorageLimit.VALUE_BYTES + 1, 1) })), RangeError);
    assert.deepEqual(store.keys(""), [key]);
  });

  it("says storage-full, loses nothing, and goes on when something is deleted", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    const model: Model = new Map();
    for (let i = 0; ; i++) {
      assert.ok(i < 100);
      const key = `file/${String(i).padStart(2, "0")}`;
      if (store.commit(change({ [key]: bytes(5000, i) })) === "storage-full") break;
      model.set(key, bytes(5000, i));
    }
    assert.ok(model.size >= 13, `${model.size} values of 5000 bytes`);
    assert.deepEqual(contents(store), model);
    assert.ok(store.usage().usedBytes <= store.usage().capacityBytes);
    for (const key of [...model.keys()]) {
      assert.equal(store.commit(change({ [key]: undefined })), "done");
      model.delete(key);
      assert.deepEqual(contents(openStore(flash)), model);
    }
    assert.equal(store.commit(change({ again: bytes(5000, 1) })), "done");
  });

  it("stays usable when it is full and written over and over", () => {
    const store = openStore(createRamFlash());
    while (store.commit(change({ [`k${store.keys("").length}`]: bytes(1000, 7) })) === "done");
    while (store.commit(change({ [`s${store.keys("").length}`]: bytes(40, 8) })) === "done");
    const before = contents(store);
    for (let i = 0; i < 300; i++) {
      assert.equal(store.commit(change({ new: bytes(3000, 7) })), "storage-full");
      assert.equal(store.commit(change({ k3: undefined })), "done");
      assert.equal(store.commit(change({ k3: bytes(900, 7) })), "done");
    }
    assert.deepEqual(contents(store), applied(before, change({ k3: bytes(900, 7) })));
  });

  it("spreads wear: no page is erased twice more often than another", () => {
    const flash = createCutFlash(STICK_GEOMETRY);
    const store = openStore(flash);
    store.commit(change({ still: bytes(16_000, 1) }));
    for (let i = 0; i < 2000; i++) store.commit(change({ counter: bytes(400, i & 0xff) }));
    assert.ok(Math.max(...flash.erasures) - Math.min(...flash.erasures) <= 1, flash.erasures.join(" "));
    assert.ok(Math.min(...flash.erasures) >= 5);
  });

  it("agrees with a map, whatever is written, over restarts", () => {
    const key = fc.constantFrom("a", "b", "c", "platform/1", "platform/2");
    const value = fc.option(fc.integer({ min: 0, max: 16_384 }), { nil: undefined });
    const commits = fc.array(fc.tuple(fc.array(fc.tuple(key, value), { maxLength: 3 }), fc.boolean()), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(commits, (steps) => {
        const flash = createRamFlash();
        let store = openStore(flash);
        let model: Model = new Map();
        for (const [i, [entries, restart]] of steps.entries()) {
          const changes = new Map(entries.map(([k, size]) => [k, size === undefined ? undefined : bytes(size, i)]));
          assert.equal(store.commit(changes), "done");
          model = applied(model, changes);
          if (restart) store = openStore(flash);
          assert.deepEqual(contents(store), model);
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe("storage: foreign and damaged flash", () => {
  const refused = (reason: StorageError["reason"]) => (error: unknown) =>
    error instanceof StorageError && error.reason === reason;

  it("is refused when it holds something else, untouched, and opens when erased", () => {
    const flash = createRamFlash(STICK_GEOMETRY, seededRandom(1).bytes(128 * 1024));
    const before = flash.image();
    assert.throws(() => openStore(flash), refused("not-a-token"));
    assert.deepEqual(flash.image(), before);
    eraseStorage(flash);
    assert.deepEqual(openStore(flash).keys(""), []);
  });

  it("is refused when it is fuller than a token leaves it, though every checksum is right", () => {
    const flash = createRamFlash(STICK_GEOMETRY);
    const put = { kind: RecordKind.Put, total: 1, key: "a", marked: true };
    layLog(
      flash,
      Array.from({ length: 32 }, (_, page) => [{ ...put, version: page + 1, data: bytes(1, page) }]),
    );
    assert.throws(() => openStore(flash), refused("damaged"));
    eraseStorage(flash);
    assert.deepEqual(openStore(flash).keys(""), []);
  });

  it("is noticed at each flipped bit: refused, or the state before the last commit, never another value", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    store.commit(change({ rim: bytes(30, 1) }));
    store.commit(change({ rim: bytes(40, 2), aik: bytes(50, 3) }));
    const good = flash.image();
    const tally = { refused: 0, before: 0, same: 0 };
    for (let bit = 0; bit < 300 * 8; bit++) {
      const image = good.slice();
      image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        const found = contents(openStore(createRamFlash(STICK_GEOMETRY, image)));
        const sizes = [...found.values()].map((value) => value.byteLength).join();
        assert.ok(sizes === "30" || sizes === "50,40", `bit ${bit}: ${sizes}`);
        tally[sizes === "30" ? "before" : "same"]++;
      } catch (error) {
        assert.ok(error instanceof StorageError, String(error));
        tally.refused++;
      }
    }
    assert.ok(tally.refused > 1500, JSON.stringify(tally));
  });

  it("is noticed at each flipped bit of a log of several pages: refused, or nothing has changed, be it in the last record", () => {
    const geometry = { pageBytes: 512, pages: 14 };
    const flash = createRamFlash(geometry);
    const store = openStore(flash);
    for (let i = 0; i < 12; i++) store.commit(change({ [`k${i % 3}`]: bytes(90 + i, i), still: bytes(60, 1) }));
    const model = contents(store);
    const image = flash.image();
    const tally = { refused: 0, unchanged: 0 };
    const flip = (bit: number) => {
      image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    };
    for (let bit = 0; bit < 8 * image.byteLength; bit += 3) {
      flip(bit);
      try {
        assert.ok(same(contents(openStore(createRamFlash(geometry, image))), model), `bit ${bit}`);
        tally.unchanged++;
      } catch (error) {
        assert.ok(error instanceof StorageError, String(error));
        tally.refused++;
      }
      flip(bit);
    }
    assert.ok(tally.refused > 4_000, JSON.stringify(tally));
  });

  it("is wiped through the last order to wipe, when there are two", () => {
    const flash = createRamFlash();
    const wipe = { kind: RecordKind.Wipe, version: 1, marked: true } as const;
    layLog(flash, [[wipe], [wipe]]);
    openStore(flash).commit(change({ a: bytes(1, 1) }));
    assert.deepEqual(openStore(flash).get("a"), bytes(1, 1));
  });

  it("is noticed when bits are lost while the token runs", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    store.commit(change({ rim: bytes(30, 0xff) }));
    const at = flash.image().findIndex((_, i, image) => Buffer.from(image.subarray(i, i + 3)).toString() === "rim");
    flash.program(at + 10, Uint8Array.of(0));
    assert.throws(() => store.get("rim"), refused("damaged"));
  });
});
