import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replaceFile } from "../../../hw/files/atomic.ts";

/** Nobody special, where the tests run as root, whom no mode keeps out. */
const NOBODY = 65_534;

function asNobody(run: () => void): void {
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(NOBODY);
  try {
    run();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

describe("files that are replaced", () => {
  it("are, and that is said, in a folder that may be written but not read", () => {
    const folder = mkdtempSync(join(tmpdir(), "fobnail-atomic-"));
    const path = join(folder, "file");
    try {
      if (process.geteuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
      chmodSync(folder, 0o300);
      asNobody(() => {
        replaceFile(path, "one", 0o600);
        replaceFile(path, "two", 0o600);
        assert.equal(readFileSync(path, "utf8"), "two");
      });
    } finally {
      chmodSync(folder, 0o700);
      rmSync(folder, { recursive: true });
    }
  });
});
