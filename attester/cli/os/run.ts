import { spawn } from "node:child_process";
import { once } from "node:events";
import { Exit, Stop } from "../exit.ts";

/** Runs a program to its end and gives its standard output. Stops with what it said when it does not end well, or is not there. */
export async function run(command: string, args: readonly string[], cwd?: string): Promise<Buffer> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...(cwd === undefined ? {} : { cwd }) });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  const [code, signal]: (number | string | null)[] = await once(child, "close").catch((cause) => {
    const why = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new Stop(Exit.Unreached, `${command} cannot be started: ${String(why)}`, { cause });
  });
  if (code === 0) return Buffer.concat(out);
  const said = Buffer.concat(errors.length > 0 ? errors : out)
    .toString()
    .trim();
  throw new Stop(Exit.Refused, `${command} ${args.join(" ")} ended with ${code ?? signal}: ${said}`);
}
