import { InvalidArgumentError } from "commander";
import type { Log } from "../../shared/ports/index.ts";
import { fileNameProblem, type Refusal, type V1Attester } from "../flows/index.ts";
import { Exit, Stop } from "./exit.ts";
import { checkTarget, readLocal, STANDARD, writeLocal } from "./local-files.ts";

/** `-r token:local`, `-w local:token`, `-d name`: what is done with the token's files, in the order of the command line. */

export type FileCommand =
  | { readonly kind: "read" | "write"; readonly name: string; readonly local: string }
  | { readonly kind: "remove"; readonly name: string };

/**
 * TOKEN:LOCAL. Names in the token hold no colon, so the first colon divides; a name that does hold one can be read to standard output: what
 * ends in ":-" is divided there.
 */
export function parseRead(text: string): FileCommand {
  const at = text.endsWith(`:${STANDARD}`) ? text.length - 2 : text.indexOf(":");
  return divided("read", text, text.slice(0, at), text.slice(at + 1), at);
}

/** LOCAL:TOKEN. The last colon divides; what begins with "-:" is divided there. */
export function parseWrite(text: string): FileCommand {
  const at = text.startsWith(`${STANDARD}:`) ? 1 : text.lastIndexOf(":");
  return divided("write", text, text.slice(at + 1), text.slice(0, at), at);
}

export function parseRemove(name: string): FileCommand {
  return { kind: "remove", name: goodName(name) };
}

function divided(kind: "read" | "write", text: string, name: string, local: string, at: number): FileCommand {
  if (at < 0 || local === "") {
    const form = kind === "read" ? "TOKEN:LOCAL" : "LOCAL:TOKEN";
    throw new InvalidArgumentError(`${form} belongs here, such as ${kind === "read" ? "key:-" : "luks.key:key"}.`);
  }
  if (text.includes("\0")) throw new InvalidArgumentError("A file name holds no NUL.");
  return { kind, name: goodName(name), local };
}

function goodName(name: string): string {
  const problem = fileNameProblem(name);
  if (problem !== undefined) throw new InvalidArgumentError(`In the token ${problem}.`);
  return name;
}

/** Whether standard output is for a file's bytes and nothing else. */
export function usesStandardOutput(commands: readonly FileCommand[]): boolean {
  return commands.some((command) => command.kind === "read" && command.local === STANDARD);
}

export function usesStandardInput(commands: readonly FileCommand[]): boolean {
  return commands.some((command) => command.kind === "write" && command.local === STANDARD);
}

/** What is to be written, by the place of its command; what an earlier command reads is not there yet. */
export type Contents = ReadonlyMap<number, Uint8Array>;

/** Finds out, before anything else begins, what cannot work; reads what there is to write. Rejects with Stop or FileError. */
export async function prepareFiles(commands: readonly FileCommand[], log: Log): Promise<Contents> {
  const contents = new Map<number, Uint8Array>();
  const made = new Set<string>();
  let standardInputs = 0;
  for (const [i, command] of commands.entries()) {
    if (command.kind === "remove") continue;
    const { kind, local } = command;
    if (kind === "read") {
      checkTarget(local);
      made.add(local);
    } else if (local === STANDARD || !made.has(local)) {
      if (local === STANDARD && standardInputs++ > 0)
        throw new Stop(Exit.Usage, "standard input can be read once only");
      if (local === STANDARD)
        log.write(process.stdin.isTTY ? "info" : "debug", "Reading standard input to its end ...");
      contents.set(i, await readLocal(local));
    }
  }
  return contents;
}

/** Runs them in order. Stops at the first that fails, with its refusal; rejects with FileError for local files. */
export async function runFiles(
  commands: readonly FileCommand[],
  contents: Contents,
  attester: V1Attester,
  log: Log,
): Promise<Refusal | undefined> {
  for (const [i, command] of commands.entries()) {
    const refusal = await runOne(command, contents.get(i), attester, log);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

async function runOne(
  command: FileCommand,
  content: Uint8Array | undefined,
  attester: V1Attester,
  log: Log,
): Promise<Refusal | undefined> {
  const { kind, name } = command;
  if (kind === "remove") {
    const outcome = await attester.remove(name);
    if (!outcome.ok) return outcome;
    log.write("info", `Deleted ${name}.`, { command: "delete", name });
    return undefined;
  }
  const { local } = command;
  if (kind === "read") {
    const outcome = await attester.read(name);
    if (!outcome.ok) return outcome;
    const bytes = outcome.data.byteLength;
    await writeLocal(local, outcome.data);
    log.write("info", `Read ${name} into ${local} (${bytes} bytes).`, { command: "read", name, local, bytes });
    return undefined;
  }
  const data = content ?? (await readLocal(local));
  const outcome = await attester.write(name, data);
  if (!outcome.ok) return outcome;
  const [bytes, how] = [data.byteLength, outcome.created ? "created" : "replaced"];
  log.write("info", `Wrote ${local} to ${name} (${bytes} bytes, ${how}).`, {
    command: "write",
    name,
    local,
    bytes,
    how,
  });
  return undefined;
}
