import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INIT } from "../../../../attester/cli/os/init.ts";
import { needs } from "../../../support/programs.ts";

/** The functions of the first program, which end where it would stop for ever. */
function functions(commandLine: string): string {
  const text = INIT.slice(INIT.indexOf("say() {"), INIT.indexOf("mode=$(option mode gate)"));
  return text.replace("while :; do sleep 3600; done", "exit 9").replace("/proc/cmdline", commandLine);
}

/** What it does with the command line before it waits for a stick, and a wait that ends at once. */
const WAITING = `${INIT.split("\n")
  .filter((line) => line.startsWith("seconds "))
  .join("\n")}
wait_for $seconds true && echo "waits for $seconds"
`;

/** What it takes from the disk for the next kernel's command line. */
const CMDLINE = `folder=.
${INIT.split("\n")
  .filter((line) => /^cmdline=|&& cmdline=/.test(line))
  .join("\n")}
echo "($cmdline)"
`;

describe("the first program of the small OS, in busybox", () => {
  let folder = "";
  before(function () {
    needs(this, "busybox");
    folder = mkdtempSync(join(tmpdir(), "fobnail-init-"));
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  const run = (words: string) => {
    const commandLine = join(folder, "cmdline");
    writeFileSync(commandLine, `quiet ${words}\n`);
    const { status, stdout, stderr } = spawnSync("busybox", ["sh"], { input: functions(commandLine) + WAITING });
    return { status, said: stdout.toString().trim(), stderr: stderr.toString() };
  };

  for (const [words, seconds] of [
    ["", 0],
    ["fobnail.wait=0", 0],
    ["fobnail.wait=00", 0],
    ["fobnail.wait=08", 8],
    ["fobnail.wait=100", 100],
    ["fobnail.wait=999999999", 999_999_999],
  ] as const) {
    it(`waits for ${seconds} s with "${words}"`, () => {
      assert.deepEqual(run(words), { status: 0, said: `waits for ${seconds}`, stderr: "" });
    });
  }

  it("reads a command line from a file, and waits for no pipe", () => {
    const said = () =>
      spawnSync("busybox", ["sh"], { input: CMDLINE, cwd: folder, timeout: 5_000 }).stdout.toString().trim();
    const commandLine = join(folder, "cmdline");
    rmSync(commandLine, { force: true });
    assert.equal(said(), "()");
    assert.equal(spawnSync("mkfifo", [commandLine]).status, 0);
    assert.equal(said(), "()");
    rmSync(commandLine);
    writeFileSync(commandLine, "root=/dev/sda2 ro\n");
    assert.equal(said(), "(root=/dev/sda2 ro)");
  });

  for (const value of ["", "30s", "-1", "0x10", "$(reboot)", "*", "1000000000"]) {
    it(`stops, and says why, at fobnail.wait=${value}`, () => {
      const said = `fobnail-os: STOPPED: fobnail.wait=${value} is no number of seconds`;
      assert.deepEqual(run(`fobnail.wait=${value}`), { status: 9, said, stderr: "" });
    });
  }
});
