import { createColors } from "picocolors";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { drawLamps } from "../../../hw/terminal/lamps.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import type { Lamps } from "../../../shared/ports/index.ts";
import type { TwinLine } from "../twin/options.ts";

/** Where the demo is shown: to people, or to programs. */
export interface Stage {
  act(title: string, what: string): void;
  log(line: TwinLine): void;
  lamps(at: number, lamps: Lamps): void;
  /** What came of an act, in a sentence. */
  outcome(good: boolean, sentence: string): void;
  fact(name: string, value: string): void;
  end(good: boolean, sentence: string): void;
}

interface Sink {
  write(text: string): unknown;
}

const WIDTH = 9;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3).padStart(8)} s`;

export function textStage(out: Sink, colors: boolean): Stage {
  const paint = createColors(colors);
  const print = (line: string) => out.write(`${line}\n`);
  let acts = 0;
  return {
    act(title, what) {
      acts++;
      print(`\n${paint.bold(`Act ${acts}. ${title}`)}\n${what}`);
    },
    log: ({ at, from, message }) => void print(`${seconds(at)}  ${from.padEnd(WIDTH)} ${printable(message)}`),
    lamps: (at, lamps) => void print(`${seconds(at)}  ${"lamps".padEnd(WIDTH)} ${drawLamps(lamps, { colors })}`),
    outcome: (good, sentence) =>
      void print(`${good ? paint.green("as expected:") : paint.red("NOT AS EXPECTED:")} ${sentence}`),
    fact: (name, value) => void print(`            ${name.padEnd(WIDTH)} ${value}`),
    end: (good, sentence) => void print(`\n${good ? paint.green(sentence) : paint.red(sentence)}`),
  };
}

export function jsonStage(out: Sink): Stage {
  const print = (fields: Readonly<Record<string, unknown>>) => out.write(`${jsonLine(fields)}\n`);
  return {
    act: (title, what) => void print({ type: "act", title, what }),
    log: ({ at, from, level, message }) => void print({ type: "log", at, from, level, message }),
    lamps: (at, lamps) => void print({ type: "lamps", at, ...lamps }),
    outcome: (good, sentence) => void print({ type: "outcome", good, sentence }),
    fact: (name, value) => void print({ type: "fact", name, value }),
    end: (good, sentence) => void print({ type: "end", good, sentence }),
  };
}
