import assert from "node:assert/strict";
import fc from "fast-check";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { crc32, encode, utf8 } from "../../../shared/bytes/index.ts";
import { CommitData, encodeRecord, PAGE_HEADER_BYTES, pageHeader, RecordKind } from "../../../token/storage/format.ts";
import { eraseStorage, openStore, StorageError, StorageLimit } from "../../../token/storage/index.ts";
import { createCutFlash, PowerCut } from "../../support/cut-flash.ts";
import { seededRandom } from "../../support/random.ts";

const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);
const change = (entries: Readonly<Record<string, Uint8Array | undefined>>) => new Map(Object.entries(entries));
type Model = Map<string, Uint8Array>;

function contents(store: { keys(prefix: string): readonly string[]; get(key: string): Uint8Array | undefined }): Model {
  return new Map(store.keys("").map((key) => [key, store.get(key) ?? new Uint8Array()]));
}

function applied(model: Model, changes: ReadonlyMap<string, Uint8Array | undefined>): Model {
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

describe("storage: power cuts", () => {
  const geometry = { pageBytes: 1024, pages: 24 };
  /** Commits that make the log go round, with values moved out of the way; `undefined` stands for a wipe. */
  function script(): readonly (ReadonlyMap<string, Uint8Array | undefined> | undefined)[] {
    const steps: (ReadonlyMap<string, Uint8Array | undefined> | undefined)[] = [
      change({ aik: bytes(280, 1), rim: bytes(1500, 2), meta: bytes(90, 3) }),
    ];
    for (let i = 0; i < 22; i++) {
      steps.push(change({ a: bytes(700 + i, i), [`b${i % 3}`]: i % 4 === 3 ? undefined : bytes(60 * i, i) }));
    }
    return [...steps, undefined, change({ aik: bytes(281, 4), rim: bytes(1200, 5) })];
  }

  /** Runs the script; the models before and after the step that was cut, or the last twice. */
  function run(flash: ReturnType<typeof createCutFlash>): readonly [Model, Model] {
    let model: Model = new Map();
    let next = model;
    try {
      const store = openStore(flash);
      for (const step of script()) {
        next = step === undefined ? new Map() : applied(model, step);
        if (step === undefined) store.wipe();
        else assert.equal(store.commit(step), "done");
        model = next;
      }
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    return [model, next];
  }

  const whole = createCutFlash(geometry);
  run(whole);
  const same = (a: Model, b: Model) =>
    a.size === b.size && [...a].every(([k, v]) => Buffer.compare(v, b.get(k) ?? Buffer.of(0)) === 0);

  for (const share of [0, 0.01, 0.3, 0.999, 1]) {
    it(`at every one of ${whole.operations} operations, ${share} of it done: the state before or after`, () => {
      assert.ok(
        whole.erasures.some((count) => count >= 2),
        "the script must make the log go round",
      );
      for (let at = 0; at < whole.operations; at++) {
        const flash = createCutFlash(geometry);
        flash.cutAt(at, share);
        const [before, after] = run(flash);
        const found = contents(openStore(createRamFlash(geometry, flash.image())));
        assert.ok(same(found, before) || same(found, after), `cut at operation ${at}: ${[...found.keys()].join(" ")}`);
      }
    });
  }

  /** The image after a start that was cut at its operation `at`; undefined when it needs fewer. */
  function cutStart(image: Uint8Array, at: number, share: number): Uint8Array | undefined {
    const flash = createCutFlash(geometry, image);
    flash.cutAt(at, share);
    try {
      openStore(flash);
      return undefined;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return flash.image();
    }
  }

  it("again while the next start mends the first: still before or after", () => {
    let mended = 0;
    for (let at = 0; at < whole.operations; at++) {
      for (const share of [0.3, 1]) {
        const flash = createCutFlash(geometry);
        flash.cutAt(at, share);
        const [before, after] = run(flash);
        for (let second = 0; ; second++) {
          const image = cutStart(flash.image(), second, share);
          if (image === undefined) break;
          mended++;
          const found = contents(openStore(createRamFlash(geometry, image)));
          assert.ok(same(found, before) || same(found, after), `cuts at operations ${at} and ${second}`);
        }
      }
    }
    assert.ok(mended > 0);
  });

  it("a wipe that was cut is finished by the next start: no byte of the values is left", () => {
    let finished = 0;
    for (let at = 0; at < 60; at++) {
      const flash = createCutFlash(geometry);
      const store = openStore(flash);
      for (let i = 0; i < 10; i++) store.commit(change({ [`secret-${i}`]: bytes(900, 0x5a) }));
      flash.cutAt(flash.operations + at, 0.4);
      try {
        store.wipe();
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
      const left = createRamFlash(geometry, flash.image());
      const keys = openStore(left).keys("");
      assert.ok(keys.length === 0 || keys.length === 10, `cut at operation ${at}: ${keys.length} values`);
      if (keys.length > 0) continue;
      finished++;
      const image = Buffer.from(left.image());
      assert.equal(image.indexOf("secret-"), -1);
      assert.equal(image.indexOf(Buffer.alloc(4, 0x5a)), -1);
    }
    assert.ok(finished > 10);
  });

  it("cut again and again at random, nearly full: never stuck, never a third state", () => {
    const random = seededRandom(3);
    const below = (max: number) => new DataView(random.bytes(4).buffer).getUint32(0) % max;
    let image = createRamFlash(geometry).image();
    let model: Model = new Map();
    let full = 0;
    let done = 0;
    for (let round = 0; round < 600; round++) {
      const flash = createCutFlash(geometry, image);
      flash.cutAt(below(40), below(100) / 99);
      let next = model;
      try {
        const store = openStore(flash);
        for (;;) {
          const changes = change({ [`k${below(16)}`]: below(6) === 0 ? undefined : bytes(below(1300), round & 0xff) });
          next = applied(model, changes);
          if (store.commit(changes) === "done") {
            model = next;
            done++;
          } else full++;
        }
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
      image = flash.image();
      const found = contents(openStore(createRamFlash(geometry, image)));
      assert.ok(same(found, model) || same(found, next), `round ${round}`);
      model = found;
    }
    assert.ok(full > 20, `${full} times full`);
    assert.ok(done > 1000, `${done} commits`);
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
    for (let page = 0; page < STICK_GEOMETRY.pages; page++) {
      flash.program(page * STICK_GEOMETRY.pageBytes, pageHeader(page + 1));
      const put = { kind: RecordKind.Put, version: page + 1, total: 1, offset: 0 };
      const record = encodeRecord(put, Uint8Array.of(0x61), bytes(1, page));
      const commit = { kind: RecordKind.Commit, version: page + 1, total: 0, offset: 0 };
      const at = page * STICK_GEOMETRY.pageBytes + PAGE_HEADER_BYTES;
      flash.program(at, record);
      const data = encode(CommitData, { since: page + 1, records: 1 });
      flash.program(at + record.byteLength, encodeRecord(commit, new Uint8Array(), data));
    }
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

  it("is refused with a commit of another size, though its checksum is right", () => {
    const flash = createRamFlash();
    flash.program(0, pageHeader(1));
    const commit = { kind: RecordKind.Commit, version: 1, total: 0, offset: 0 };
    flash.program(PAGE_HEADER_BYTES, encodeRecord(commit, new Uint8Array(), bytes(7, 0)));
    assert.throws(() => openStore(flash), refused("damaged"));
  });

  it("is wiped through the last order to wipe, when there are two", () => {
    const flash = createRamFlash();
    const wipe = encodeRecord(
      { kind: RecordKind.Wipe, version: 1, total: 0, offset: 0 },
      new Uint8Array(),
      new Uint8Array(),
    );
    for (const page of [0, 1]) {
      flash.program(page * STICK_GEOMETRY.pageBytes, pageHeader(page + 1));
      flash.program(page * STICK_GEOMETRY.pageBytes + PAGE_HEADER_BYTES, wipe);
    }
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
