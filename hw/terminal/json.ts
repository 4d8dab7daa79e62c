import { replaceUnseen } from "../../shared/bytes/index.ts";

/** A value as JSON in one line, without its end: all output for programs, which people look at as well. */
export function jsonLine(value: object): string {
  return escapedJson(JSON.stringify(value));
}

/** A line of JSON with `\uNNNN` for what JSON leaves as it is and terminals do not: DEL, C1, format characters, line separators. */
export function escapedJson(line: string): string {
  return replaceUnseen(line, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
