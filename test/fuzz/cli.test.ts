import assert from "node:assert/strict";
import { runProgram } from "../../attester/cli/exit.ts";
import { fuzzCommand } from "./cli.ts";
import { inventory } from "./inventory.ts";

/** The program in this process: its exit code and what it printed. */
async function fuzzing(...args: readonly string[]) {
  const { log, error } = console;
  const lines: string[] = [];
  const note = (...parts: readonly unknown[]) => void lines.push(parts.join(" "));
  Object.assign(console, { log: note, error: note });
  const exitCode = process.exitCode;
  try {
    const command = fuzzCommand().configureOutput({ writeOut: note, writeErr: note });
    return { code: await runProgram(command, args), output: lines.join("\n") };
  } finally {
    process.exitCode = exitCode;
    Object.assign(console, { log, error });
  }
}

describe("npm run fuzz", function () {
  this.timeout(60_000);

  it("prints a row for each that was chosen, and a sum", async () => {
    const { code, output } = await fuzzing("--only", "EEM packet", "arp", "--inputs", "300", "--jobs", "1");
    assert.equal(code, 0, output);
    assert.match(output, /^ +decoder +inputs +accepted +refused +inputs\/s +slowest ms +grown MB +corpus\n/);
    assert.match(output, /\nok +EEM packet +300 +\d+ +\d+ /);
    assert.match(output, /\nok +ARP packet +300 /);
    assert.match(output, /\n3 fuzzed, 0 failed; 900 inputs, slowest \d+\.\d ms, /);
  });

  it("replays one input, lists the names, and refuses what it does not know", async () => {
    const replayed = await fuzzing("--only", "EEM packet", "--replay", "0380616263");
    assert.deepEqual(replayed, { code: 0, output: "EEM packet: decoded or refused" });
    const names = (await fuzzing("--list")).output.split("\n");
    assert.ok(names.length > inventory.length);
    assert.equal((await fuzzing("--only", "no such decoder")).code, 2);
    assert.equal((await fuzzing("--inputs", "0")).code, 2);
    assert.equal((await fuzzing("--inputs", "10000000", "--list")).code, 0);
    assert.equal((await fuzzing("--replay", "0")).code, 2);
    assert.equal((await fuzzing("--write")).code, 2);
  });
});
