import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFileFlash } from "../../../hw/flash/index.ts";
import { commandLine } from "../../support/process.ts";

const TOLD = /^(.*): 131072 bytes\. It holds the token's private key: whoever has it has the token\n$/;

describe("fobnail token flash export, to what is no plain file", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-export-"));
  const path = (name: string) => join(folder, name);
  const image = () => readFileSync(path("state/flash.img"));

  before(() => {
    mkdirSync(path("state"));
    const flash = openFileFlash(path("state/flash.img"));
    flash.program(0, Uint8Array.of(1, 2, 3));
    flash.close();
  });
  after(() => rmSync(folder, { recursive: true }));

  const exported = (to: string, stdout: "pipe" | number = "pipe") => {
    const [command = "", ...args] = commandLine(["token", "flash", "export", to, "--state", path("state")]);
    const done = spawnSync(command, args, { stdio: ["ignore", stdout, "pipe"] });
    assert.equal(done.status, 0, String(done.stderr));
    return done;
  };

  it("writes to the file behind a link, and leaves the link", () => {
    writeFileSync(path("backup.img"), "before");
    symlinkSync("backup.img", path("link"));
    assert.match(String(exported(path("link")).stdout), TOLD);
    assert.ok(lstatSync(path("link")).isSymbolicLink());
    assert.deepEqual(readFileSync(path("backup.img")), image());
    assert.equal(statSync(path("backup.img")).mode & 0o777, 0o600);
  });

  it("says its sentence beside standard output when the image goes there", () => {
    symlinkSync("/proc/self/fd/1", path("one"));
    for (const name of ["-", "/dev/stdout", path("one")]) {
      const { stdout, stderr } = exported(name);
      assert.deepEqual(stdout, image(), name);
      assert.equal(TOLD.exec(String(stderr))?.[1], name === "-" ? "standard output" : name);
      assert.ok(lstatSync(path("one")).isSymbolicLink());
    }
  });

  it("writes to the file that standard output is, and puts no other in its place", () => {
    for (const name of ["-", "/dev/stdout", path("one")]) {
      const fd = openSync(path("out.img"), "w");
      try {
        const before = statSync(path("out.img")).ino;
        assert.match(String(exported(name, fd).stderr), TOLD);
        assert.equal(statSync(path("out.img")).ino, before);
        assert.deepEqual(readFileSync(path("out.img")), image(), name);
      } finally {
        closeSync(fd);
      }
    }
  });
});
