import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, makeFolder, readFileBytes } from "../../../hw/files/index.ts";

describe("folders", () => {
  let base = "";
  before(() => {
    base = mkdtempSync(join(tmpdir(), "fobnail-folder-"));
  });
  after(() => rmSync(base, { recursive: true }));

  it("are made with all that is missing above them, once", () => {
    const deep = join(base, "a", "b", "c");
    makeFolder(deep, 0o700);
    makeFolder(deep, 0o700);
    assert.equal(statSync(deep).mode & 0o777, 0o700);
  });

  it("are refused where a file stands, and in places where nothing can be made", () => {
    const file = join(base, "file");
    writeFileSync(file, "");
    assert.throws(() => makeFolder(file), { code: "EEXIST" });
    assert.throws(() => makeFolder(join(file, "below")), { code: "ENOTDIR" });
    // Node's own recursive mkdir never returns from here.
    assert.throws(() => makeFolder("/proc/none/below"), { code: /ENOENT|EACCES|EROFS|EPERM/ });
  });
});

describe("reading files", () => {
  it("ends with files that do not end", () => {
    assert.throws(() => readFileBytes("/dev/zero", 1000), FileError);
    assert.deepEqual(readFileBytes("/dev/null", 1000), new Uint8Array());
  });
});
