import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  createRamFlash,
  type FileFlash,
  FlashFileError,
  openFileFlash,
  replaceFileFlash,
  STICK_GEOMETRY,
} from "../../../hw/flash/index.ts";
import { flashContract } from "../../contract/flash.ts";

describe("flash: RAM", () => {
  flashContract(
    (geometry) => createRamFlash(geometry),
    (flash) => createRamFlash(flash.geometry, flash.read(0, flash.geometry.pageBytes * flash.geometry.pages)),
  );

  it("takes no image of another size", () => {
    assert.throws(() => createRamFlash(STICK_GEOMETRY, new Uint8Array(100)), RangeError);
  });
});

describe("flash: image file", () => {
  const dir = mkdtempSync(join(tmpdir(), "fobnail-flash-"));
  const open: FileFlash[] = [];
  let files = 0;
  const remember = (flash: FileFlash) => {
    open.push(flash);
    return flash;
  };
  const fresh = () => join(dir, `state-${files++}`, "flash.bin");
  afterEach(() => {
    for (const flash of open.splice(0)) flash.close();
  });
  after(() => rmSync(dir, { recursive: true }));

  flashContract(
    (geometry) => remember(openFileFlash(fresh(), geometry)),
    (flash) => {
      const old = open.find((o) => o === flash);
      assert.ok(old);
      old.close();
      return remember(openFileFlash(old.path, flash.geometry));
    },
  );

  it("is made for its owner only, exactly as large as the chip", () => {
    const path = fresh();
    remember(openFileFlash(path));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(path, "..")).mode & 0o777, 0o700);
    assert.deepEqual(new Uint8Array(readFileSync(path)), new Uint8Array(128 * 1024).fill(0xff));
    assert.deepEqual(readdirSync(join(path, "..")).sort(), [basename(path), `${basename(path)}.lock`]);
  });

  it("loses what a program left that ended while it wrote", () => {
    const path = fresh();
    remember(openFileFlash(path)).close();
    const left = join(path, "..", ".flash.bin.01234567.new");
    writeFileSync(left, "half");
    remember(openFileFlash(path)).close();
    assert.ok(!existsSync(left));
    writeFileSync(left, "half");
    replaceFileFlash(path, readFileSync(path));
    assert.ok(!existsSync(left));
  });

  it("has every operation in the file when it returns", () => {
    const path = fresh();
    const flash = remember(openFileFlash(path));
    flash.program(5000, Uint8Array.of(1, 2, 3));
    assert.deepEqual(new Uint8Array(readFileSync(path)).slice(4999, 5004), Uint8Array.of(255, 1, 2, 3, 255));
    flash.erase(1);
    assert.deepEqual(new Uint8Array(readFileSync(path)), new Uint8Array(128 * 1024).fill(0xff));
  });

  it("refuses a file of another size, and says both sizes", () => {
    const path = join(dir, "short.bin");
    writeFileSync(path, "hello");
    const refused = (error: unknown) =>
      error instanceof FlashFileError && error.reason === "wrong-size" && /5 bytes.*131072/.test(error.message);
    assert.throws(() => openFileFlash(path), refused);
    assert.ok(!existsSync(`${path}.lock`));
  });

  it("refuses a path that cannot be had", () => {
    assert.throws(
      () => openFileFlash("/dev/null/flash.bin"),
      (error) => error instanceof FlashFileError && error.reason === "unreachable",
    );
  });

  it("belongs to one process at a time, and takes over from one that died", () => {
    const path = fresh();
    const first = openFileFlash(path);
    assert.throws(
      () => openFileFlash(path),
      (error) => error instanceof FlashFileError && error.reason === "in-use",
    );
    first.close();
    first.close();
    writeFileSync(`${path}.lock`, "999999999 1\n");
    openFileFlash(path).close();
    writeFileSync(`${path}.lock`, `${process.pid} 1\n`); // the pid came again
    openFileFlash(path).close();
    writeFileSync(`${path}.lock`, ""); // killed while it made the lock, long ago
    utimesSync(`${path}.lock`, 0, 0);
    remember(openFileFlash(path));
    assert.match(readFileSync(`${path}.lock`, "utf8"), new RegExp(`^${process.pid} \\d+\n$`));
  });
});
