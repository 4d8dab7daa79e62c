import assert from "node:assert/strict";
import { runProgram } from "../../attester/cli/exit.ts";
import { benchCommand } from "./cli.ts";

/** What a bench that measures everything once says, a line each; it must end well. */
export async function measuredOnce(name: string): Promise<readonly Record<string, unknown>[]> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (line: string) => void lines.push(line);
  try {
    const code = await runProgram(benchCommand(), [name, "--iterations", "1", "--warm-up", "0", "--json"]);
    assert.equal(code, 0, lines.join("\n"));
  } finally {
    console.log = log;
  }
  return lines.map((line): Record<string, unknown> => JSON.parse(line));
}
