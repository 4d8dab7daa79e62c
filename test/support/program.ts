/** A program of ours in a process of its own, from the sources. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

const WAIT_MS = 15_000;

export interface Program {
  readonly process: ChildProcess;
  /** Everything on both outputs so far. */
  readonly output: () => string;
  /** Resolves when the output matches; rejects when the program ends before, or takes 15 s. */
  until(pattern: RegExp): Promise<RegExpMatchArray>;
  /** Resolves with the exit code once the program ended and its outputs were read; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts `file` with tsx. Whatever the test does, the process ends with it. */
export function startProgram(file: string, args: readonly string[]): Program {
  const child = spawn(process.execPath, ["--import", "tsx", file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      for (const listener of listeners) listener();
    });
  }
  const killAtEnd = () => child.kill("SIGKILL");
  process.once("exit", killAtEnd);
  const ended = once(child, "close").then(([code]: (number | null)[]) => {
    process.off("exit", killAtEnd);
    return code ?? null;
  });
  const until = (pattern: RegExp) =>
    new Promise<RegExpMatchArray>((resolve, reject) => {
      const fail = (why: string) => finish(() => reject(new Error(`${why} without ${pattern}: ${output}`)));
      const timer = setTimeout(() => fail(`${WAIT_MS} ms went by`), WAIT_MS);
      const look = () => {
        const match = output.match(pattern);
        if (match !== null) finish(() => resolve(match));
      };
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        listeners.delete(look);
        settle();
      };
      listeners.add(look);
      void ended.then(() => fail("the program ended"));
      look();
    });
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return { process: child, output: () => output, until, ended, end };
}
