import { pino } from "pino";
import type { Log, LogLevel } from "../../shared/ports/index.ts";
import { escapedJson } from "./json.ts";
import { printable } from "./printable.ts";
import { stackOf } from "./stack.ts";

/** The two ways a program talks: lines for people, JSON for programs. */

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const PREFIX: Readonly<Record<LogLevel, string>> = { debug: "debug: ", info: "", warn: "warning: ", error: "error: " };

/** Where lines go; a write never fails. */
export interface TextSink {
  write(text: string): unknown;
}

export interface TextLogOptions {
  /** Lines of level info; process.stdout when not given. */
  readonly out?: TextSink;
  /** All other levels; process.stderr when not given. */
  readonly err?: TextSink;
  /** The lowest level that is written: info when not given. */
  readonly level?: LogLevel;
}

function sayFacts(facts: Readonly<Record<string, unknown>>): string {
  const shown = Object.entries(facts).map(([name, value]) => `${name}=${printable(plain(value))}`);
  return shown.length === 0 ? "" : ` (${shown.join(", ")})`;
}

function plain(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Error) return value.message;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * Plain lines: info bare, so that a published transcript can be compared line for line; other levels say theirs. Facts are
 * for programs and shown with debug lines only, but that a bug is followed by its stack.
 */
export function createTextLog(options: TextLogOptions = {}): Log {
  const { out = process.stdout, err = process.stderr, level = "info" } = options;
  const lowest = LEVELS.indexOf(level);
  return {
    write(at, message, facts = {}) {
      if (LEVELS.indexOf(at) < lowest) return;
      const line = `${PREFIX[at]}${printable(message)}${at === "debug" ? sayFacts(facts) : ""}\n`;
      const stack = stackOf(at, facts)?.split("\n") ?? [];
      (at === "info" ? out : err).write(line + stack.map((one) => `${printable(one)}\n`).join(""));
    },
  };
}

function jsonFacts(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown = Object.entries(facts).map(([name, value]) => [
    name,
    value instanceof Uint8Array || typeof value === "bigint" || value instanceof Error ? plain(value) : value,
  ]);
  return Object.fromEntries(shown);
}

/** One JSON object a line: time (ms since 1970), level by name, msg, the facts, and the `stack` of a bug. Bytes are hexadecimal. */
export function createJsonLog(sink: TextSink = process.stdout, level: LogLevel = "info"): Log {
  const logger = pino(
    { level, base: null, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => void sink.write(`${escapedJson(line.trimEnd())}\n`) },
  );
  return {
    write(at, message, facts = {}) {
      const stack = stackOf(at, facts);
      logger[at]({ ...jsonFacts(facts), ...(stack !== undefined && { stack }) }, message);
    },
  };
}
