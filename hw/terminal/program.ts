import { type Command, CommanderError } from "commander";

/** Exit codes of all programs. */
export const Exit = { DONE: 0, REFUSED: 1, USAGE: 2, UNREACHED: 3, BUG: 70 } as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** Ends a program with a sentence for its user and an exit code. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.exitCode = exitCode;
  }
}

/** A wrong option, argument or file: exit code 2. */
export function usageError(sentence: string, options?: ErrorOptions): ProgramError {
  return new ProgramError(Exit.USAGE, sentence, options);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** What errors of other rooms mean for a program: their message is the sentence, the code says how it ended. */
const meanings: (readonly [ErrorClass, ExitCode])[] = [];

/** Composition roots say once which errors are the user's to mend, and not bugs. */
export function errorMeans(exitCode: ExitCode, ...classes: readonly ErrorClass[]): void {
  for (const errorClass of classes) meanings.push([errorClass, exitCode]);
}

/**
 * Parses and runs; sets process.exitCode and never rejects. An error that nobody foresaw is printed with its stack as a bug.
 */
export async function runProgram(command: Command, argv: readonly string[] = process.argv): Promise<void> {
  neverExit(command);
  try {
    await command.parseAsync(argv);
  } catch (error) {
    process.exitCode = explain(error, command);
  }
}

/** commander would call process.exit, with 1 for usage errors. */
function neverExit(command: Command): void {
  command.exitOverride().showHelpAfterError("(--help shows the options and examples)");
  for (const sub of command.commands) neverExit(sub);
}

function explain(error: unknown, command: Command): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.DONE : Exit.USAGE; // it has printed its message
  if (error instanceof ProgramError) {
    console.error(`${command.name()}: ${error.message}`);
    return error.exitCode;
  }
  const known = meanings.find(([errorClass]) => error instanceof errorClass);
  if (known !== undefined && error instanceof Error) {
    console.error(`${command.name()}: ${error.message}`);
    return known[1];
  }
  console.error(`${command.name()}: this is a bug, please report it:`, error);
  return Exit.BUG;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Resolves at the first Ctrl-C or SIGTERM; at the second the process ends at once. `dispose` takes the handlers away. */
export function untilSignal(): { readonly signalled: Promise<NodeJS.Signals>; dispose(): void } {
  let handler: (signal: NodeJS.Signals) => void = () => undefined;
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    let seen = false;
    handler = (signal) => {
      if (seen) process.exit(Exit.REFUSED);
      seen = true;
      resolve(signal);
    };
  });
  for (const signal of SIGNALS) process.on(signal, handler);
  return {
    signalled,
    dispose() {
      for (const signal of SIGNALS) process.off(signal, handler);
    },
  };
}
