import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const MODULE = pathToFileURL(join(import.meta.dirname, "../../../hw/files/new-files.ts")).href;

/** What a program says that writes a small file and a large one, where no file may be larger than a block or two. */
function writeWithLimit(folder: string): string {
  const files = `[{ name: "small", text: "x", secret: true }, { name: "large", text: "x".repeat(65536), secret: false }]`;
  const program = `
    import(${JSON.stringify(MODULE)}).then(({ writeNewFiles }) => {
      try { writeNewFiles(${JSON.stringify(folder)}, ${files}); } catch (error) { process.stdout.write(String(error)); }
    });`;
  const command = `ulimit -f 1; exec "$0" --import tsx -e "$1"`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command, process.execPath, program], {
    encoding: "utf8",
    env: { ...process.env, TSX_DISABLE_CACHE: "1" },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe("new files that cannot be written to their end", function () {
  this.timeout(60_000);
  let base = "";
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "fobnail-new-files-"));
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it("leave nothing behind: neither what was cut short nor a folder that was made for them", () => {
    const folder = join(base, "owner");
    assert.match(writeWithLimit(folder), /^FileError: .*owner cannot be filled: EFBIG/);
    assert.equal(existsSync(folder), false);
  });

  it("leave a folder that was there", () => {
    const folder = join(base, "owner");
    mkdirSync(folder);
    assert.match(writeWithLimit(folder), /EFBIG/);
    assert.deepEqual(readdirSync(folder), []);
  });
});
