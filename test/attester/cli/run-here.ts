import type { Command } from "commander";
import { runProgram } from "../../../attester/cli/exit.ts";
import { attesterCommand } from "../../../attester/cli/main.ts";

/** A program in this process, the attester when none is given: its exit code, and what it wrote. */
export async function runHere(
  args: readonly string[],
  program: Command = attesterCommand(),
): Promise<{ readonly code: number; readonly output: string }> {
  let output = "";
  const outputs = [process.stdout, process.stderr] as const;
  const originals = outputs.map((stream) => stream.write);
  for (const stream of outputs) {
    stream.write = (text: string | Uint8Array) => {
      output += typeof text === "string" ? text : Buffer.from(text).toString();
      return true;
    };
  }
  try {
    return { code: await runProgram(program, args), output };
  } finally {
    process.exitCode = undefined; // an action may have set it for the program, not for the tests
    outputs.forEach((stream, i) => {
      stream.write = originals[i] ?? stream.write;
    });
  }
}
