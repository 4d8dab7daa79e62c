/** A program of this package on a pseudo-terminal (`script` of util-linux), and the picture that it draws there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { commandLine, type Ending } from "./process.ts";

const COLUMNS = 100;
const ROWS = 30;
const WITHIN_MS = 20_000;

// ECMA-48, 5.4: CSI, parameter bytes, intermediate bytes, final byte; or one character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are steered by control characters
const NEXT = /\u001b\[([\x30-\x3f]*)[\x20-\x2f]*([\x40-\x7e])|[\s\S]/gu;

/** As much of a terminal as a picture redrawn in place needs. */
export class Picture {
  readonly #rows: string[][] = Array.from({ length: ROWS }, () => []);
  #row = 0;
  #column = 0;
  cursorShown = true;
  colored = false;

  write(text: string): void {
    for (const [character, parameters, final] of text.matchAll(NEXT)) {
      if (final !== undefined) this.#control(final, parameters ?? "");
      else if (character === "\r") this.#column = 0;
      else if (character === "\n") this.#lineFeed();
      else this.#put(character);
    }
  }

  get lines(): readonly string[] {
    return this.#rows.map((row) =>
      Array.from(row, (character) => character ?? " ")
        .join("")
        .trimEnd(),
    );
  }

  #put(character: string): void {
    if (this.#column === COLUMNS) {
      this.#column = 0;
      this.#lineFeed();
    }
    const row = this.#rows[this.#row];
    if (row !== undefined) row[this.#column] = character;
    this.#column++;
  }

  #lineFeed(): void {
    this.#row++;
    if (this.#row < ROWS) return;
    this.#row = ROWS - 1;
    this.#rows.shift();
    this.#rows.push([]);
  }

  #control(final: string, parameters: string): void {
    const count = Number.parseInt(parameters, 10) || 1;
    const row = this.#rows[this.#row] ?? [];
    if (final === "A") this.#row = Math.max(0, this.#row - count);
    else if (final === "B") this.#row = Math.min(ROWS - 1, this.#row + count);
    else if (final === "G") this.#column = count - 1;
    else if (final === "K") row.length = parameters === "2" ? 0 : Math.min(row.length, this.#column);
    else if (final === "J") this.#eraseBelow();
    else if (final === "m") this.colored = true;
    else if (parameters === "?25") this.cursorShown = final === "h";
    else if (parameters !== "?2026") throw new Error(`CSI ${parameters} ${final} is not known here`);
  }

  #eraseBelow(): void {
    const row = this.#rows[this.#row] ?? [];
    row.length = Math.min(row.length, this.#column);
    for (const below of this.#rows.slice(this.#row + 1)) below.length = 0;
  }
}

export interface Terminal {
  readonly picture: Picture;
  /** Keys, as a keyboard sends them. */
  press(keys: string): void;
  /** Resolves when the picture is as wanted; rejects, showing it, when it does not become so. */
  until(what: string, wanted: (lines: readonly string[]) => boolean): Promise<void>;
  readonly ended: Promise<Ending>;
  kill(): Promise<Ending>;
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export function openTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Terminal {
  const command = commandLine(args).map(quoted).join(" ");
  const child = spawn("script", ["-qefc", `stty cols ${COLUMNS} rows ${ROWS}; exec ${command}`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const killAtEnd = () => child.kill("SIGKILL");
  process.once("exit", killAtEnd);
  const picture = new Picture();
  let looks: (() => void)[] = [];
  let over = false;
  const look = () => {
    const now = looks;
    looks = [];
    for (const one of now) one();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    picture.write(text);
    look();
  });
  child.stdin.on("error", () => undefined); // it ended before it read everything
  const ended = once(child, "close").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    process.off("exit", killAtEnd);
    over = true;
    look();
    return code ?? signal ?? "SIGKILL";
  });
  const shown = () => picture.lines.filter((line) => line !== "").join("\n");
  return {
    picture,
    ended,
    press: (keys) => void child.stdin.write(keys),
    async until(what, wanted) {
      const deadline = performance.now() + WITHIN_MS;
      while (!wanted(picture.lines)) {
        if (over || performance.now() >= deadline) throw new Error(`the terminal did not show ${what}:\n${shown()}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, deadline - performance.now());
          looks.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    },
    kill() {
      if (!over) child.kill("SIGKILL");
      return ended;
    },
  };
}
