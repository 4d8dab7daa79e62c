import assert from "node:assert/strict";
import { createRamFlash } from "../../../hw/flash/index.ts";
import { DEFAULT_FILE_LIMITS, FileMaximum, filesIn, isFileName } from "../../../token/domain/files.ts";
import { openStore } from "../../../token/storage/index.ts";
import { memoryStore } from "../../support/memory-store.ts";

const HERE = "aa".repeat(32);
const THERE = `${"aa".repeat(31)}ab`;
const bytes = (size: number, fill = 1) => new Uint8Array(size).fill(fill);
const filesWith = (limits = {}, store = memoryStore()) => filesIn(store, { ...DEFAULT_FILE_LIMITS, ...limits });

describe("files: names", () => {
  const good = ["a", "...", ".a", "a b", "key.luks", "C:\\x", "ß", "\u{1f511}", "\ufeff", "\n", "x".repeat(255), "é".repeat(127)]; // biome-ignore format: one list
  const bad = ["", ".", "..", "/", "a/b", "/a", "a/", "\0", "a\0", "x".repeat(256), "é".repeat(128), "\ud800", "a\udc00"]; // biome-ignore format: one list

  it("that are good keep a file each", () => {
    const files = filesWith({}, openStore(createRamFlash()));
    for (const [i, name] of good.entries()) {
      assert.ok(isFileName(name), JSON.stringify(name));
      assert.equal(files.write(HERE, name, bytes(3, i)), "created");
    }
    for (const [i, name] of good.entries()) assert.deepEqual(files.read(HERE, name), bytes(3, i));
    assert.deepEqual(new Set(files.list(HERE).map(({ name }) => name)), new Set(good));
  });

  it("that are bad are no files to read or remove, and a bug to write", () => {
    const files = filesWith();
    for (const name of bad) {
      assert.equal(files.isName(name), false, JSON.stringify(name));
      assert.equal(files.read(HERE, name), undefined);
      assert.equal(files.remove(HERE, name), "absent");
      assert.throws(() => files.write(HERE, name, bytes(1)), RangeError);
    }
    assert.deepEqual(files.usage(HERE), { files: 0, bytes: 0 });
  });

  it("differ by each character, and are not normalised", () => {
    const files = filesWith();
    for (const name of ["a", "A", "\u00e9", "e\u0301"]) assert.equal(files.write(HERE, name, bytes(1)), "created");
    assert.equal(files.usage(HERE).files, 4);
  });
});

describe("files: content", () => {
  it("is created, replaced, removed, and listed by name", () => {
    const files = filesWith();
    assert.equal(files.write(HERE, "b", bytes(5)), "created");
    assert.equal(files.write(HERE, "a", bytes(0)), "created");
    assert.equal(files.write(HERE, "b", bytes(7, 2)), "replaced");
    assert.deepEqual(files.list(HERE), [
      { name: "a", sizeBytes: 0 },
      { name: "b", sizeBytes: 7 },
    ]);
    assert.deepEqual(files.read(HERE, "a"), bytes(0));
    assert.deepEqual(files.read(HERE, "b"), bytes(7, 2));
    assert.deepEqual(files.usage(HERE), { files: 2, bytes: 7 });
    assert.equal(files.remove(HERE, "b"), "removed");
    assert.equal(files.remove(HERE, "b"), "absent");
    assert.equal(files.read(HERE, "b"), undefined);
    assert.equal(files.write(HERE, "b", bytes(1)), "created");
  });

  it("of one platform is not there for another", () => {
    const files = filesWith();
    files.write(HERE, "key", bytes(9));
    assert.equal(files.read(THERE, "key"), undefined);
    assert.deepEqual(files.list(THERE), []);
    assert.deepEqual(files.usage(THERE), { files: 0, bytes: 0 });
    assert.equal(files.remove(THERE, "key"), "absent");
    assert.equal(files.write(THERE, "key", bytes(4, 4)), "created");
    assert.deepEqual(files.read(HERE, "key"), bytes(9));
  });
});

describe("files: limits", () => {
  it("the size of one: 6000 bytes unless configured, to the byte", () => {
    const files = filesWith();
    assert.equal(files.write(HERE, "a", bytes(6000)), "created");
    assert.equal(files.write(HERE, "a", bytes(6001)), "too-large");
    assert.deepEqual(files.read(HERE, "a"), bytes(6000));
    const large = filesWith({ fileBytes: FileMaximum.FILE_BYTES }, openStore(createRamFlash()));
    const name = "n".repeat(255);
    assert.equal(large.write(HERE, name, bytes(FileMaximum.FILE_BYTES)), "created");
    assert.equal(large.write(HERE, name, bytes(FileMaximum.FILE_BYTES + 1)), "too-large");
    assert.deepEqual(large.read(HERE, name), bytes(FileMaximum.FILE_BYTES));
  });

  it("the bytes of all of a platform: replacing counts the new one only, other platforms count apart", () => {
    const files = filesWith({ quotaBytes: 100 });
    assert.equal(files.write(HERE, "a", bytes(60)), "created");
    assert.equal(files.write(HERE, "b", bytes(41)), "quota");
    assert.equal(files.write(HERE, "b", bytes(40)), "created");
    assert.equal(files.write(HERE, "a", bytes(61)), "quota");
    assert.equal(files.write(HERE, "a", bytes(60, 2)), "replaced");
    assert.equal(files.write(HERE, "c", bytes(0)), "created");
    assert.equal(files.write(THERE, "a", bytes(100)), "created");
    assert.deepEqual(files.usage(HERE), { files: 3, bytes: 100 });
  });

  it("a quota that was lowered: nothing grows, everything may shrink and go", () => {
    const store = memoryStore();
    filesWith({}, store).write(HERE, "a", bytes(80));
    const files = filesWith({ quotaBytes: 50 }, store);
    assert.equal(files.write(HERE, "a", bytes(81)), "quota");
    assert.equal(files.write(HERE, "b", bytes(1)), "quota");
    assert.equal(files.write(HERE, "a", bytes(70)), "replaced");
    assert.equal(files.remove(HERE, "a"), "removed");
  });

  it("how many: replacing goes on when there is no room for one more", () => {
    const files = filesWith();
    for (let i = 0; i < 32; i++) assert.equal(files.write(HERE, `f${i}`, bytes(1)), "created");
    assert.equal(files.write(HERE, "one more", bytes(0)), "quota");
    assert.equal(files.write(HERE, "f31", bytes(9)), "replaced");
    assert.equal(files.write(THERE, "f0", bytes(1)), "created");
    assert.equal(files.remove(HERE, "f0"), "removed");
    assert.equal(files.write(HERE, "one more", bytes(0)), "created");
  });

  it("that no store can keep are refused when the token is made", () => {
    for (const limits of [
      { fileBytes: FileMaximum.FILE_BYTES + 1 },
      { fileBytes: 0 },
      { files: FileMaximum.FILES + 1 },
      { files: 1.5 },
      { quotaBytes: 0 },
      { quotaBytes: Number.NaN },
    ]) {
      assert.throws(() => filesWith(limits), RangeError, JSON.stringify(limits));
    }
  });

  it("a full flash takes no more and loses nothing; what is removed makes room", () => {
    const flash = createRamFlash();
    const files = filesWith({ quotaBytes: 1 << 20 }, openStore(flash));
    const written = new Map<string, Uint8Array>();
    for (let i = 0; ; i++) {
      const outcome = files.write(HERE, `f${i}`, bytes(6000, i));
      if (outcome === "storage-full") break;
      assert.equal(outcome, "created");
      written.set(`f${i}`, bytes(6000, i));
    }
    assert.ok(written.size >= 12, `${written.size} files`);
    assert.equal(files.write(HERE, "f0", bytes(6000, 99)), "storage-full");
    const again = filesWith({ quotaBytes: 1 << 20 }, openStore(flash));
    for (const [name, data] of written) assert.deepEqual(again.read(HERE, name), data);
    assert.equal(again.usage(HERE).files, written.size);
    assert.equal(again.remove(HERE, "f3"), "removed");
    assert.equal(again.remove(HERE, "f4"), "removed");
    assert.equal(again.write(HERE, "f0", bytes(6000, 99)), "replaced");
  });
});
