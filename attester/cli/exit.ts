import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Command, CommanderError, Help, type Option } from "commander";
import { realClock } from "../../hw/clock/real.ts";
import { FileError } from "../../hw/files/index.ts";
import { printable } from "../../hw/terminal/printable.ts";
import { TpmSpecError } from "../../hw/tpm/spec.ts";
import { TpmUnreachable } from "../../shared/tpm/unreachable.ts";

/** Exit codes of all programs. */
export const Exit = { Done: 0, Refused: 1, Usage: 2, Unreached: 3, Bug: 70 } as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

const exitCodes: readonly ExitCode[] = Object.values(Exit);

/** Ends the program with a sentence for people and an exit code. */
export class Stop extends Error {
  override readonly name = "Stop";
  readonly exit: ExitCode;

  constructor(exit: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}

/** Ends the program with an exit code when everything was said. */
export class Said extends Error {
  override readonly name = "Said";
  readonly exit: ExitCode;

  constructor(exit: ExitCode) {
    super(`exit code ${exit}`);
    this.exit = exit;
  }
}

/** Prints what there is to say about `error` and gives its exit code. What nobody foresaw is a bug, with its stack. */
export function exitOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.Done : Exit.Usage; // commander has said why
  if (error instanceof Said) return error.exit;
  const code = foreseen(error);
  if (code !== undefined && error instanceof Error) {
    console.error(`error: ${error.message.split("\n").map(printable).join("\n")}`); // sticks and peers are quoted there
    return code;
  }
  console.error("This is a bug of the program:");
  console.error(error);
  return Exit.Bug;
}

/** The exit code of an error whose message is a sentence for people. */
function foreseen(error: unknown): ExitCode | undefined {
  if (error instanceof Stop) return error.exit;
  if (error instanceof FileError || error instanceof TpmSpecError) return Exit.Usage;
  if (error instanceof TpmUnreachable) return Exit.Unreached;
  return undefined;
}

/** How the program that runs stands to its end: one for the process, as its outputs and signals are. */
interface Running {
  /** An exception that nobody caught decided on this, whatever the program says itself. */
  crash: ExitCode | undefined;
  /** Somebody waits for signals, or did and may be cleaning up. */
  listened: boolean;
  /** That an output broke was passed on or said. */
  broken: boolean;
  /** Not everything could be written, as on a full disk. */
  unwritten: boolean;
  finished: boolean;
}

const begun = (): Running => ({
  ...{ crash: undefined, listened: false, broken: false, unwritten: false, finished: false },
});

let running: Running = { ...begun(), finished: true };

/** Tells those who clean up; whether there are any. */
function tellToEnd(why: NodeJS.Signals): boolean {
  return process.emit("SIGTERM", why) || running.listened;
}

/** Nobody reads on, as behind `| head`: a program that runs until a signal ends as on SIGTERM, with this name for why; any other at once. */
export const NOBODY_READS: NodeJS.Signals = "SIGPIPE";

function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (running.broken) return; // those who clean up write, too
  running.broken = true;
  running.unwritten = error.code !== "EPIPE" && error.code !== "EIO"; // EIO: the terminal was closed
  if (running.unwritten) console.error(`error: the output cannot be written: ${error.code ?? error.message}`);
  if (running.finished) {
    if (running.unwritten) process.exitCode ||= Exit.Refused;
  } else if (!tellToEnd(NOBODY_READS)) {
    process.exit(process.exitCode || Exit.Refused); // 0 is for programs that have finished
  }
}

function bearBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners("error").includes(onBrokenPipe)) stream.on("error", onBrokenPipe);
  }
}

/** What giving back sticks, TPMs and files may take after a bug. */
const CLEAN_UP_MS = 5_000;

/** An exception in a listener or timer, or a rejection that nobody handles: Node's own exit code for it, 1, means refused here. */
function onCrash(error: unknown): void {
  const isFirst = running.crash === undefined;
  const code = exitOf(error) || Exit.Bug;
  running.crash ??= code;
  process.exitCode = running.crash;
  if (!isFirst) return;
  if (!tellToEnd("SIGTERM")) process.exit(code);
  setTimeout(() => process.exit(code), CLEAN_UP_MS).unref();
}

const CRASHES = ["uncaughtException", "unhandledRejection"] as const;

/** Until the returned function is called. Not where somebody else cares for them, as tests that run programs in their process do. */
function bearCrashes(): () => void {
  const unheard = CRASHES.filter((name) => process.listenerCount(name) === 0);
  for (const name of unheard) process.on(name, onCrash);
  return () => {
    for (const name of unheard) process.off(name, onCrash);
  };
}

/** "(default: false)" and "(default: [])" tell nobody anything. */
function withoutIdleDefault(option: Option): string {
  const { defaultValue } = option;
  const idle = defaultValue === false || (Array.isArray(defaultValue) && defaultValue.length === 0);
  return idle ? option.description : new Help().optionDescription(option);
}

/** Makes a program and its subcommands throw instead of ending the process. */
export function throwing(program: Command): Command {
  program.exitOverride().configureHelp({ optionDescription: withoutIdleDefault });
  for (const command of program.commands) throwing(command);
  return program;
}

/** Runs `program` on arguments without node and script name; the exit code. Never rejects. */
export async function runProgram(program: Command, args: readonly string[]): Promise<ExitCode> {
  running = begun();
  bearBrokenPipes();
  const release = bearCrashes();
  const code = await ownCode(program, args);
  release();
  running.finished = true;
  if (running.crash !== undefined) return running.crash;
  return code === Exit.Done && running.unwritten ? Exit.Refused : code;
}

async function ownCode(program: Command, args: readonly string[]): Promise<ExitCode> {
  try {
    await throwing(program).parseAsync(args, { from: "user" });
    return exitCodes.find((code) => code === process.exitCode) ?? Exit.Done; // an action may have set it
  } catch (error) {
    if (running.crash !== undefined && error instanceof Stop) return running.crash; // it was interrupted, by the bug
    return exitOf(error);
  }
}

export const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What started the program may pass on a Ctrl-C that the terminal sent to both. */
const ONE_CTRL_C_MS = 500;

export interface EndSignals {
  /** The name of the first that came. */
  readonly signal: Promise<NodeJS.Signals>;
  /** Gives the signals back. */
  release(): void;
}

/**
 * Resolves with the name of the first of SIGINT, SIGTERM and SIGHUP (a closed terminal). Until `release` gives the signals back,
 * further ones change nothing: what is cleaned up meanwhile is not cut off, but by a second Ctrl-C of somebody who does not want to wait.
 * Nor by that where `finishes` says that there is something to be done in any case.
 */
export function untilSignal({ finishes = false } = {}): EndSignals {
  let resolve: (signal: NodeJS.Signals) => void = () => undefined;
  const signal = new Promise<NodeJS.Signals>((settle) => {
    resolve = settle;
  });
  let toldAt: number | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    const now = realClock.now();
    toldAt ??= now;
    resolve(name);
    if (finishes || name !== "SIGINT" || now - toldAt < ONE_CTRL_C_MS) return;
    release();
    process.kill(process.pid, name);
  };
  running.listened = true;
  for (const name of END_SIGNALS) process.on(name, onSignal);
  const release = () => {
    for (const name of END_SIGNALS) process.off(name, onSignal);
  };
  return { signal, release };
}

/** Whether the module is the program that was started; npm starts bins through symbolic links. */
export function isMain(moduleUrl: string): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(moduleUrl);
}
