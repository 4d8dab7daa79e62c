import { replaceUnseen } from "../../shared/bytes/index.ts";

/** What is not shown comes as `\xNN`, `\uNNNN` or `\u{NNNNN}`: text of a peer must not steer the terminal or who reads there. Line ends too. */
export function printable(text: string): string {
  return replaceUnseen(text, (character) => {
    const hex = (character.codePointAt(0) ?? 0).toString(16);
    if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\u{${hex}}`;
  });
}
