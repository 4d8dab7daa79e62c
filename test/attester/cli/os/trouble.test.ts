import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Exit, Stop } from "../../../../attester/cli/exit.ts";
import { programFiles } from "../../../../attester/cli/os/program-files.ts";
import { run } from "../../../../attester/cli/os/run.ts";

const stops = (exit: number, sentence: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Stop, String(error));
  assert.match(error.message, sentence);
  assert.equal(error.exit, exit);
  return true;
};

describe("npm run os:build where something is missing", function () {
  this.timeout(60_000);
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fobnail-os-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** Without a program in reach. */
  const build = (cache: string, ...args: readonly string[]) => {
    const env = { XDG_CACHE_HOME: cache, PATH: root, HOME: root };
    const command = ["--import", "tsx", join("attester", "cli", "os", "main.ts"), ...args];
    return spawnSync(process.execPath, command, { encoding: "utf8", env });
  };

  it("3: neither apt nor what it gave last time", () => {
    const { status, stderr } = build(root, "--out", join(root, "out"));
    assert.match(
      stderr,
      /^error: apt knows no linux-image-amd64 \(apt-get update\?\), and the cache holds no kernel\n$/,
    );
    assert.equal(status, 3);
  });

  it("takes the kernel of last time without apt, also when an older one stands behind it in the alphabet", () => {
    const lists = join(root, "fobnail", "debian", "lists");
    mkdirSync(lists, { recursive: true });
    for (const [version, writtenAt] of [
      ["6.12.48+deb13", 2_000],
      ["6.12.9", 1_000],
    ] as const) {
      const list = join(lists, `linux-image-${version}-amd64`);
      writeFileSync(list, `linux-image-${version}-amd64_1_amd64.deb`);
      utimesSync(list, writtenAt, writtenAt);
    }
    const { status, stdout, stderr } = build(root, "--out", join(root, "out"));
    assert.match(stdout + stderr, /Downloading linux-image-6\.12\.48\+deb13-amd64 /);
    assert.equal(status, 3, "which cannot be downloaded");
  });

  it("2: folders that cannot be made", () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    for (const [cache, out] of [
      [file, join(root, "out")],
      [root, join(file, "out")],
    ] as const) {
      const { status, stderr } = build(cache, "--out", out);
      assert.match(stderr, /^error: .*\/file\/.* cannot be made: ENOTDIR\n$/);
      assert.equal(status, 2);
    }
  });

  it("0: help, which makes no folder", () => {
    const { status, stdout } = build(join(root, "cache"), "--help");
    assert.ok(stdout.includes(join(root, "cache", "fobnail", "debian", "os")), stdout);
    assert.equal(status, 0);
    assert.ok(!existsSync(join(root, "cache")));
  });

  it("2: no build", () => {
    const sources = { packageFolder: root, built: join(root, "dist") };
    assert.throws(() => programFiles(sources, "opt"), stops(Exit.Usage, /dist holds no build \(npm run build\)$/));
  });

  it("1: a program that fails, and 3: one that is not installed", async () => {
    await assert.rejects(run("sh", ["-c", "echo oh >&2; exit 4"]), stops(Exit.Refused, /^sh -c .* ended with 4: oh$/));
    const missing = "fobnail-no-such-program";
    await assert.rejects(
      run(missing, []),
      stops(Exit.Unreached, /^fobnail-no-such-program cannot be started: ENOENT$/),
    );
  });
});
