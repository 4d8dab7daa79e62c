import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkRegularFile, FileError, makeFolder, readFileBytes, readRegularFile } from "../../../hw/files/index.ts";

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

  it("waits for no pipe and no device where regular files alone are wanted", () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-regular-"));
    try {
      const [pipe, file] = [join(folder, "pipe"), join(folder, "file")];
      assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
      for (const path of [pipe, "/dev/null"]) {
        assert.throws(() => readRegularFile(path, 1000), { name: "FileError", message: `${path} is no regular file` });
        assert.throws(() => checkRegularFile(path), FileError);
      }
      assert.throws(() => readRegularFile(folder, 1000), { message: `${folder} is a folder` });
      assert.throws(() => readRegularFile(file, 1000), { message: `${file} is not there` });
      writeFileSync(file, "text");
      assert.equal(Buffer.from(readRegularFile(file, 4)).toString(), "text");
      assert.throws(() => readRegularFile(file, 3), /holds 4 bytes/);
      checkRegularFile(file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("waits for who writes a pipe elsewhere, as behind the shell's <(...)", () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-pipe-"));
    try {
      const pipe = join(folder, "pipe");
      assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
      spawn("sh", ["-c", `echo hello >"${pipe}"`], { stdio: "ignore" });
      assert.equal(Buffer.from(readFileBytes(pipe, 9)).toString(), "hello\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
