import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Exit, runProgram, Stop, untilSignal } from "../../../attester/cli/exit.ts";
import { startProgram } from "../../support/program.ts";
import { runHere } from "./run-here.ts";

describe("ends of programs", () => {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`${name} is an orderly end, so that a TPM gets its TPM2_Shutdown`, async () => {
      const { signal, release } = untilSignal();
      process.emit(name, name);
      assert.equal(await signal, name);
      release();
      assert.equal(process.listenerCount("SIGHUP"), 0);
    });
  }

  it("1 with a sentence when the output cannot be written", function () {
    this.timeout(30_000);
    const command = `"${process.execPath}" --import tsx fobnail.ts scenario list > /dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    assert.equal(status, 1, stderr);
    assert.equal(stderr, "error: the output cannot be written: ENOSPC\n");
  });

  it("a signal that comes again while a program cleans up does not end it", async () => {
    const { signal, release } = untilSignal();
    for (const name of ["SIGTERM", "SIGHUP", "SIGTERM", "SIGINT"] as const) assert.ok(process.emit(name, name), name);
    assert.equal(await signal, "SIGTERM");
    release();
    assert.equal(process.emit("SIGTERM", "SIGTERM"), false);
  });

  it("nor does a second Ctrl-C where there is something to be done in any case", async () => {
    const { signal, release } = untilSignal({ finishes: true });
    for (let i = 0; i < 2; i++, await sleep(600)) process.emit("SIGINT", "SIGINT");
    assert.equal(await signal, "SIGINT");
    assert.ok(process.listenerCount("SIGINT") > 0, "it still listens");
    release();
  });

  it("prints what would steer the terminal as text, line ends apart", async () => {
    const program = new Command("fails").action(() => {
      throw new Stop(Exit.Unreached, "the stick \u001b]0;pwned\u0007 is gone:\n  1-1");
    });
    const { code, output } = await runHere([], program);
    assert.deepEqual([code, output], [3, "error: the stick \\x1b]0;pwned\\x07 is gone:\n  1-1\n"]);
  });

  describe("of a process", function () {
    this.timeout(30_000);
    const folder = mkdtempSync(join(tmpdir(), "fobnail-exit-"));
    const file = join(folder, "cleaned-up");
    afterEach(() => rmSync(file, { force: true }));
    after(() => rmSync(folder, { recursive: true }));

    const run = (way: string, reader = "cat > /dev/null") => {
      const program = `"${process.execPath}" --import tsx test/attester/cli/ending-program.ts "${way}" "${file}"`;
      const script = `{ ${program}; echo "code $?" >&2; } | ${reader}`;
      const { stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
      const [, said = "", code] = /^(.*)code (\d+)\n$/s.exec(stderr) ?? assert.fail(stderr);
      return { code: Number(code), said, cleanedUp: existsSync(file) };
    };

    for (const way of ["until told", "until told, signals given back"]) {
      it(`0 ${way}, cleaned up, though each write of that fails too`, () => {
        assert.deepEqual(run(way, "head -1"), { code: 0, said: "", cleanedUp: true });
      });
    }

    it("1 when nobody reads on before it has finished, and there is nothing to clean up", () => {
      assert.deepEqual(run("without listening", "head -1"), { code: 1, said: "", cleanedUp: false });
      assert.deepEqual(run("without listening"), { code: 0, said: "", cleanedUp: true });
    });

    for (const [way, error] of [
      ["throws in a timer", /^This is a bug of the program:\nError: in a timer\n {4}at /],
      ["throws twice", /^This is a bug .*Error: in a timer\n.*This is a bug .*Error: another\n/s],
      ["rejects unhandled", /^This is a bug of the program:\nError: of nobody\n {4}at /],
    ] as const) {
      it(`70 when it ${way}, and cleans up`, () => {
        const { code, said, cleanedUp } = run(way);
        assert.match(said, error);
        assert.equal(code, 70);
        assert.ok(cleanedUp);
      });
    }

    it("70 at once when nobody cleans up, or after a while when that does not end", () => {
      for (const way of ["throws without listening", "throws and never finishes"]) {
        const { code, said } = run(way);
        assert.match(said, /^This is a bug of the program:\nError: in a timer\n/, way);
        assert.equal(code, 70, way);
      }
    });

    it("by a second Ctrl-C, when cleaning up takes too long; not by one that is passed on twice", async () => {
      const program = startProgram("test/attester/cli/ending-program.ts", ["cleans up for ever", file]);
      await program.until(/runs/);
      for (let i = 0; i < 3; i++) program.process.kill("SIGINT");
      await program.until(/cleans up/);
      await sleep(700);
      assert.equal(program.process.exitCode, null);
      assert.equal(await program.end("SIGINT"), null);
      assert.equal(program.process.signalCode, "SIGINT");
    });

    it("a sentence, with its code, for an error that is one", () => {
      assert.deepEqual(run("throws a sentence"), { code: 3, said: "error: the stick is gone\n", cleanedUp: false });
    });
  });

  it("leaves exceptions to those who run programs within a process, such as tests", async () => {
    const events = ["uncaughtException", "unhandledRejection"] as const;
    const counts = () => events.map((name) => process.listenerCount(name));
    const before = counts();
    let during: readonly number[] = [];
    const program = new Command("looks").action(() => {
      during = counts();
    });
    assert.equal(await runProgram(program, []), 0);
    assert.deepEqual([during, counts()], [before, before]);
  });
});
