/** Control characters (C0, DEL, C1) shown as `\xNN`: text of a peer must not steer the terminal. Line ends too. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (c) => `\\x${(c.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`);
}
