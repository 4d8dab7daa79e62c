import { jsonLine } from "../../hw/terminal/json.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { printable } from "../../hw/terminal/printable.ts";
import { stackOf } from "../../hw/terminal/stack.ts";
import type { Log } from "../../shared/ports/index.ts";
import type { TokenEvent } from "../domain/events.ts";
import { meaningOf, type Situation } from "./meaning.ts";
import { type Reach, sayReach } from "./reach.ts";

/** How one running token shows itself. */
export interface View {
  readonly log: Log;
  situation(now: Situation): void;
  event(event: TokenEvent): void;
}

/** How all tokens of this process show themselves. */
export interface Display {
  /** Of what concerns no token alone. */
  readonly log: Log;
  /** For each token, in their order. */
  readonly views: readonly View[];
  reach(reach: Reach): void;
  /** The token that keys are for. */
  choose(index: number): void;
  close(): void;
}

/** What tells a token from the others of this process: its bus id. Undefined for the only one. */
export type TokenName = string | undefined;

export const clockTime = (): string => new Date().toISOString().slice(11, 23);

/** Lines for people; what `name` begins is of one token. A bug is followed by its stack. */
export function lineLog(line: (text: string) => void, name?: TokenName): Log {
  return {
    write(level, message, facts = {}) {
      if (level === "debug") return;
      const stack = stackOf(level, facts)?.split("\n") ?? [];
      for (const text of [message, ...stack]) line(name === undefined ? text : `${name} ${text}`);
    },
  };
}

export function tellReach(log: Log, reach: Reach): void {
  for (const [level, text] of sayReach(reach)) log.write(level, text);
}

/** One line for each change, with its time. */
export function createLineDisplay(stream: NodeJS.WritableStream, names: readonly TokenName[]): Display {
  const line = (text: string) => void stream.write(`${clockTime()} ${printable(text)}\n`);
  const log = lineLog(line);
  const viewOf = (name: TokenName): View => {
    const own = lineLog(line, name);
    let shown = "";
    return {
      log: own,
      situation(now) {
        const text = `lamps ${nameLamps(now.lamps)}: ${meaningOf(now)}`;
        if (text !== shown) own.write("info", text);
        shown = text;
      },
      event: () => undefined,
    };
  };
  return {
    log,
    views: names.map(viewOf),
    reach: (reach) => tellReach(log, reach),
    choose(index) {
      log.write("info", `Keys are for ${names[index] ?? "the token"}`);
    },
    close: () => undefined,
  };
}

/**
 * One JSON object a line: `lamps`, `log`, where the token is reached (`listening`, `usbip`, `usbredir`, `tap`), and the
 * token's events under their own types. With more than one token, `stick` says which one.
 */
export function createJsonDisplay(stream: NodeJS.WritableStream, names: readonly TokenName[]): Display {
  const line = (fields: Readonly<Record<string, unknown>>, name?: TokenName) => {
    const stick = name === undefined ? {} : { stick: name };
    stream.write(`${jsonLine({ time: new Date().toISOString(), ...stick, ...fields })}\n`);
  };
  const logOf = (name?: TokenName): Log => ({
    write(level, message, facts = {}) {
      const stack = stackOf(level, facts);
      line({ type: "log", level, message, ...(stack !== undefined && { stack }) }, name);
    },
  });
  const log = logOf();
  const viewOf = (name: TokenName): View => {
    let shown = "";
    return {
      log: logOf(name),
      situation(now) {
        const meaning = meaningOf(now);
        const text = `${nameLamps(now.lamps)} ${meaning}`;
        if (text !== shown) line({ type: "lamps", ...now.lamps, meaning }, name);
        shown = text;
      },
      event: (event) => line({ ...event }, name),
    };
  };
  return {
    log,
    views: names.map(viewOf),
    reach(reach) {
      line({ ...reach });
      for (const [level, text] of sayReach(reach)) if (level !== "info") log.write(level, text);
    },
    choose: () => undefined,
    close: () => undefined,
  };
}
