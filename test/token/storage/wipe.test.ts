import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { RecordKind } from "../../../token/storage/format.ts";
import { openStore, StorageLimit } from "../../../token/storage/index.ts";

import { type LaidRecord, layLog } from "../../support/laid-log.ts";

const bytes = (size: number, fill: number) => new Uint8Array(size).fill(fill);
const change = (entries: Readonly<Record<string, Uint8Array | undefined>>) => new Map(Object.entries(entries));

describe("storage: a wipe that keeps something", () => {
  it("keeps what is under the prefix, in the running store and after a restart, and no byte of the rest", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    store.commit(change({ "root/a": bytes(900, 1), "root/b": bytes(0, 0), roots: bytes(9, 2), secret: bytes(500, 0x5a) })); // biome-ignore format: one change
    store.commit(change({ "root/c": bytes(StorageLimit.VALUE_BYTES, 3), "root/gone": bytes(5, 0x5a) }));
    store.commit(change({ "root/a": bytes(901, 4), "root/gone": undefined }));
    store.wipe("root/");
    for (const now of [store, openStore(flash)]) {
      assert.deepEqual(now.keys(""), ["root/a", "root/b", "root/c"]);
      assert.deepEqual(now.get("root/a"), bytes(901, 4));
      assert.deepEqual(now.get("root/b"), bytes(0, 0));
      assert.deepEqual(now.get("root/c"), bytes(StorageLimit.VALUE_BYTES, 3));
    }
    const image = Buffer.from(flash.image());
    for (const trace of [Buffer.alloc(4, 0x5a), "secret", "gone"]) assert.equal(image.indexOf(trace), -1);
    assert.equal(store.commit(change({ "root/a": undefined, next: bytes(1, 1) })), "done");
    assert.deepEqual(openStore(flash).keys(""), ["next", "root/b", "root/c"]);
  });

  it("keeps nothing unless told to, and nothing when nothing is there", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    store.wipe("root/");
    store.commit(change({ "root/a": bytes(1, 1) }));
    store.wipe();
    assert.deepEqual(openStore(flash).keys(""), []);
    assert.throws(() => store.wipe("k".repeat(StorageLimit.KEY_BYTES + 1)), RangeError);
  });

  it("works on a full store of kept values", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    let count = 0;
    while (store.commit(change({ [`root/${count}`]: bytes(4000, count) })) === "done") count++;
    assert.ok(count >= 18, `${count} values`);
    store.commit(change({ "root/0": undefined }));
    for (let i = 0; i < 5; i++) store.wipe("root/");
    const after = openStore(flash);
    assert.equal(after.keys("root/").length, count - 1);
    for (let i = 1; i < count; i++) assert.deepEqual(after.get(`root/${i}`), bytes(4000, i));
  });

  it("is not stopped by a kept value that has lost bits: that one goes too", () => {
    const flash = createRamFlash();
    const store = openStore(flash);
    store.commit(change({ "root/a": bytes(30, 0xff), "root/b": bytes(30, 7), secret: bytes(50, 0x5a) }));
    flash.program(Buffer.from(flash.image()).indexOf("root/a") + 10, Uint8Array.of(0));
    store.wipe("root/");
    assert.deepEqual(openStore(flash).keys(""), ["root/b"]);
    assert.equal(Buffer.from(flash.image()).indexOf(Buffer.alloc(4, 0x5a)), -1);
  });

  it("found with another order to wipe, keeps what both keep", () => {
    const flash = createRamFlash();
    const put = (key: string): LaidRecord => ({
      kind: RecordKind.Put,
      version: 1,
      total: 1,
      key,
      data: bytes(1, 1),
      marked: true,
    });
    const order = (key: string): LaidRecord => ({ kind: RecordKind.Wipe, version: 9, key, marked: true });
    layLog(flash, [["a", "a/b", "a/b/c"].map(put), [order("a/b/")], [order("a/")]]);
    assert.deepEqual(openStore(flash).keys(""), ["a/b/c"]);
    assert.deepEqual(openStore(flash).keys(""), ["a/b/c"]);
  });
});

describe("storage: a full store", () => {
  it("deletes 50 keys of 134 bytes in one commit, however full", () => {
    for (const filler of [40, 700, 3300]) {
      const flash = createRamFlash();
      const store = openStore(flash);
      const keys = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(134, "k"));
      for (const key of keys) assert.equal(store.commit(change({ [key]: bytes(200, 1) })), "done");
      for (let size = filler; size > 8; size >>= 1) {
        for (let i = 0; store.commit(change({ [`${size}-${i}`]: bytes(size, 2) })) === "done"; i++);
      }
      const others = store.keys("").length - keys.length;
      assert.equal(store.commit(new Map(keys.map((key) => [key, undefined]))), "done");
      assert.equal(openStore(flash).keys("").length, others);
    }
  });
});
