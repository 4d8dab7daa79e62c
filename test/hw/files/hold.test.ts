import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "../../../hw/files/hold.ts";
import { holderName } from "../../../hw/files/holder.ts";

function writtenBefore(path: string, ms: number): void {
  const at = new Date(Date.now() - ms);
  utimesSync(path, at, at);
}

describe("lock files", () => {
  let folder = "";
  let lock = "";
  const taken = () => {
    const held = hold(lock);
    return "release" in held ? held.release : assert.fail(`held by ${held.heldBy}`);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-hold-"));
    lock = join(folder, "lock");
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("name who holds them, one at a time, and leave nothing behind", () => {
    const release = taken();
    assert.equal(readFileSync(lock, "utf8"), `${holderName(process.pid)}\n`);
    assert.equal(statSync(lock).mode & 0o777, 0o600);
    assert.deepEqual(hold(lock), { heldBy: process.pid });
    assert.deepEqual(readdirSync(folder), ["lock"]);
    release();
    assert.deepEqual(readdirSync(folder), []);
    taken()();
  });

  it("are taken over from processes that are gone, whatever they left", () => {
    // beyond the largest pid of Linux; a pid that came again; killed while it made the lock; no lock at all
    for (const left of ["4194305 1\n", `${process.pid} 1\n`, "", "somebody"]) {
      writeFileSync(lock, left);
      if (left === "") writtenBefore(lock, 10_000);
      taken()();
      assert.deepEqual(readdirSync(folder), [], left);
    }
  });

  it("without text are another's that is about to write it, for a moment", () => {
    // On file systems without links the file is there before its text; times on FAT are 2 s apart.
    writeFileSync(lock, "");
    writtenBefore(lock, 2000);
    assert.deepEqual(hold(lock), { heldBy: undefined });
    assert.equal(readFileSync(lock, "utf8"), "");
    assert.deepEqual(readdirSync(folder), ["lock"]);
    writeFileSync(lock, `${holderName(process.pid)}\n`);
    assert.deepEqual(hold(lock), { heldBy: process.pid });
    writeFileSync(lock, "");
    writtenBefore(lock, -3_600_000); // the clock was set back: that moment may be long ago
    taken()();
  });

  it("of somebody else are not released", () => {
    const release = taken();
    writeFileSync(lock, "1 another\n");
    release();
    assert.equal(readFileSync(lock, "utf8"), "1 another\n");
  });

  it("that cannot be made throw what the file system says", () => {
    assert.throws(() => hold(join(folder, "none", "lock")), /ENOENT/);
  });
});
