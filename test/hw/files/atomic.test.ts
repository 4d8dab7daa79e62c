import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { removeUnfinished, replaceFile } from "../../../hw/files/atomic.ts";

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

/** Replaces a file again and again, each time by a whole one, and ends with 1 at the first error. */
const WRITER = `
  import { replaceFile } from ${JSON.stringify(resolve("hw/files/atomic.ts"))};
  for (let times = 0; times < 100; times++) replaceFile(process.argv[1], process.argv[2].repeat(5000), 0o600);
`;

describe("files that are replaced", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "fobnail-atomic-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("leave the files beside them alone, whatever their names", () => {
    const path = join(folder, "app.conf");
    writeFileSync(`${path}.new`, "the only copy of somebody's work");
    replaceFile(path, "ours", 0o600);
    assert.deepEqual(readdirSync(folder), ["app.conf", "app.conf.new"]);
    assert.equal(readFileSync(`${path}.new`, "utf8"), "the only copy of somebody's work");
  });

  it("are written by two programs at once without an error, and are whole", async function () {
    this.timeout(60_000);
    const path = join(folder, "shared");
    const args = ["--import", "tsx", "--input-type=module", "--eval", WRITER, path];
    const writers = ["a", "b"].map((letter) =>
      spawn(process.execPath, [...args, letter], { stdio: ["ignore", "inherit", "inherit"] }),
    );
    const codes = await Promise.all(writers.map(async (writer) => (await once(writer, "exit"))[0]));
    assert.deepEqual(codes, [0, 0]);
    assert.match(readFileSync(path, "utf8"), /^(a{5000}|b{5000})$/);
    assert.deepEqual(readdirSync(folder), ["shared"]);
  });

  it("may have a name as long as the file system takes", () => {
    const name = "ä".repeat(127);
    replaceFile(join(folder, name), "content", 0o600);
    assert.deepEqual(readdirSync(folder), [name]);
  });

  it("leave nothing beside them when they cannot be", () => {
    const path = join(folder, "taken");
    mkdirSync(path);
    assert.throws(() => replaceFile(path, "content", 0o600), { code: "EISDIR" });
    assert.deepEqual(readdirSync(folder), ["taken"]);
  });

  it("lose what a crash left beside them, and nothing else, when that is asked for", () => {
    const path = join(folder, "state");
    const others = [".state", ".state.0123456.new", ".state.01234567.old", ".states.01234567.new", "state.new"];
    for (const name of [...others, ".state.01234567.new"]) writeFileSync(join(folder, name), "");
    removeUnfinished(path);
    assert.deepEqual(readdirSync(folder).sort(), [...others].sort());
  });

  it("are, and that is said, in a folder that may be written but not read", () => {
    const path = join(folder, "file");
    try {
      if (process.geteuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
      chmodSync(folder, 0o300);
      asNobody(() => {
        replaceFile(path, "one", 0o600);
        replaceFile(path, "two", 0o600);
        removeUnfinished(path); // what cannot be seen stays
        assert.equal(readFileSync(path, "utf8"), "two");
      });
    } finally {
      chmodSync(folder, 0o700);
    }
  });
});
