import { spawn } from "node:child_process";

/** How a program ended: its exit code, the signal that ended it, or the system's word for why it did not start. */
export type ProgramEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "signal"; readonly name: string }
  | { readonly kind: "not-started"; readonly code: string };

export interface Captured {
  readonly end: ProgramEnd;
  /** The end of what it wrote to standard error. */
  readonly errors: string;
}

const MAX_ERROR_CHARACTERS = 4_096;

export interface ShellOptions {
  /** Beside what this process has. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called with how to pass a signal on, while the command runs. */
  readonly onStart?: (pass: (signal: NodeJS.Signals) => void) => void;
}

/** A command line through the shell, on this program's terminal. Never rejects. */
export function runShell(command: string, { environment, onStart }: ShellOptions): Promise<ProgramEnd> {
  const child = spawn("/bin/sh", ["-c", command], { stdio: "inherit", env: { ...process.env, ...environment } });
  onStart?.((signal) => void child.kill(signal));
  return ended(child);
}

/** A program found on PATH, with these arguments and no shell. Its output goes to standard error, where its errors are read along. Never rejects. */
export async function runCaptured(program: string, args: readonly string[]): Promise<Captured> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-MAX_ERROR_CHARACTERS);
  });
  return { end: await ended(child), errors };
}

function ended(child: ReturnType<typeof spawn>): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      // A failed kill is told here, too; only a program that has no pid did not start.
      if (child.pid === undefined) resolve({ kind: "not-started", code: error.code ?? error.message });
    });
    child.once("close", (code, signal) => {
      resolve(code === null ? { kind: "signal", name: signal ?? "SIGKILL" } : { kind: "exit", code });
    });
  });
}

/** For sentences: "ended with exit code 3". */
export function describeEnd(end: ProgramEnd): string {
  switch (end.kind) {
    case "exit":
      return `ended with exit code ${end.code}`;
    case "signal":
      return `was ended by ${end.name}`;
    case "not-started":
      return `did not start: ${end.code}`;
  }
}
