import { runProgram } from "../../../attester/cli/exit.ts";
import { attesterCommand } from "../../../attester/cli/main.ts";

/** The program in this process: its exit code, and what it wrote. */
export async function runHere(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
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
    return { code: await runProgram(attesterCommand(), args), output };
  } finally {
    outputs.forEach((stream, i) => {
      stream.write = originals[i] ?? stream.write;
    });
  }
}
