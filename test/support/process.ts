/** Programs of this package in processes of their own that are typed to, waited for line by line, killed and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { builtFolder } from "./built.ts";

const WITHIN_MS = 30_000;
const SHOWN_LINES = 40;

export interface StartOptions {
  /** The source of a program, without `.ts`; the front door unless said otherwise. */
  readonly program?: string;
  /** Starts the program through a symbolic link that is made here. */
  readonly link?: string;
  /** `closed`: /dev/null. */
  readonly stdin?: "open" | "closed";
  readonly env?: NodeJS.ProcessEnv;
  /** A program that becomes the one to start, with its own arguments: `nsenter`, `setpriv`. */
  readonly under?: readonly string[];
  /** Another program altogether, with its arguments. */
  readonly command?: readonly string[];
}

/** How a process ended: its exit code, or the signal that ended it. */
export type Ending = number | NodeJS.Signals;

/** What starts a program. */
export function commandLine(
  args: readonly string[],
  { program = "fobnail", link, under = [], command }: StartOptions = {},
): readonly string[] {
  if (command !== undefined) return [...command, ...args];
  const file = join(builtFolder(), `${program}.js`);
  if (link !== undefined) symlinkSync(file, link);
  return [...under, process.execPath, link ?? file, ...args];
}

/** A running program. Lines are those of standard output and standard error, as they come. */
export class Process {
  readonly name: string;
  readonly lines: string[] = [];
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  /** Lines before this one have been waited for. */
  #seen = 0;
  #ending: Ending | undefined;

  constructor(args: readonly string[], options: StartOptions = {}) {
    const { stdin = "open", env } = options;
    this.name = [...(options.command ?? []), ...args].slice(0, 2).join(" ");
    const [command = "", ...rest] = commandLine(args, options);
    this.#child = spawn(command, rest, {
      env: { ...process.env, ...env },
      stdio: [stdin === "open" ? "pipe" : "ignore", "pipe", "pipe"],
    });
    const killAtEnd = () => this.#child.kill("SIGKILL");
    process.once("exit", killAtEnd);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#heard(line));
    }
    this.#child.stdin?.on("error", () => undefined); // it ended before it read everything
    this.ended = once(this.#child, "close").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
      process.off("exit", killAtEnd);
      this.#ending = code ?? signal ?? "SIGKILL";
      this.#wake();
      return this.#ending;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** A line for its standard input. */
  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The end of its standard input. */
  typeNoMore(): void {
    this.#child.stdin?.end();
  }

  /** As when the reader behind a pipe ends. */
  readNoMore(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Resolves when the process is gone. */
  kill(signal: NodeJS.Signals = "SIGKILL"): Promise<Ending> {
    if (this.#ending === undefined) this.#child.kill(signal);
    return this.ended;
  }

  /** The first match among the lines not yet waited for; rejects, with what was said, when it does not come. */
  async match<T>(what: string, find: (line: string) => T | undefined, withinMs = WITHIN_MS): Promise<T> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      while (this.#seen < this.lines.length) {
        const found = find(this.lines[this.#seen++] ?? "");
        if (found !== undefined) return found;
      }
      const ending = this.#ending;
      if (ending !== undefined) throw new Error(`${this.name} ended (${ending}) without ${what}\n${this.said()}`);
      if (!(await this.#more(deadline - performance.now()))) {
        throw new Error(`${this.name} did not say ${what} within ${withinMs} ms\n${this.said()}`);
      }
    }
  }

  line(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray> {
    return this.match(String(pattern), (line) => pattern.exec(line) ?? undefined, withinMs);
  }

  /** The end of what it said, for messages. */
  said(): string {
    return this.lines.slice(-SHOWN_LINES).join("\n");
  }

  #heard(line: string): void {
    this.lines.push(line);
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** False when nothing came in time. */
  #more(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (came: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(came);
      };
      const wake = () => settle(true);
      const timer = setTimeout(() => settle(false), Math.max(0, withinMs));
      this.#waiting.add(wake);
    });
  }
}

/** Starts programs and ends all of them, each by its pid. */
export class Processes {
  readonly #started: Process[] = [];

  start(args: readonly string[], options?: StartOptions): Process {
    const started = new Process(args, options);
    this.#started.push(started);
    return started;
  }

  /** For what ends by itself. */
  async run(
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<{ readonly code: Ending; readonly text: string }> {
    const started = this.start(args, { stdin: "closed", ...options });
    const code = await started.ended;
    return { code, text: started.lines.join("\n") };
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#started.map((started) => started.kill()));
  }
}
