/** Text out of logs: whoever wrote the log wrote it, so it is bounded and steers no terminal. */
import { replaceUnseen, utf8 } from "../bytes/index.ts";

const MAX_TEXT_CHARACTERS = 240;
const UTF8 = new TextDecoder("utf-8");
const UTF16 = new TextDecoder("utf-16le");

/** `text` without what is not shown or was no text ("?" in its place), cut to a readable length. */
export function plainText(text: string): string {
  const cut = text.length > MAX_TEXT_CHARACTERS ? `${text.slice(0, MAX_TEXT_CHARACTERS)}...` : text;
  return replaceUnseen(cut, () => "?").replaceAll("\uFFFD", "?");
}

/** Up to the first NUL, or all of it. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const own = end < 0 ? bytes : bytes.subarray(0, end);
  return plainText(UTF8.decode(own.subarray(0, 4 * MAX_TEXT_CHARACTERS)));
}

/** UTF-16, little-endian, up to the first NUL or all of it. */
export function wideTextOf(bytes: Uint8Array): string {
  const text = UTF16.decode(bytes.subarray(0, 4 * MAX_TEXT_CHARACTERS));
  const end = text.indexOf("\0");
  return plainText(end < 0 ? text : text.slice(0, end));
}

/** Whether these bytes are a text for people: ASCII without controls, perhaps with NULs behind it. */
export function isText(bytes: Uint8Array): boolean {
  const nul = bytes.indexOf(0);
  const text = nul < 0 ? bytes : bytes.subarray(0, nul);
  return text.byteLength > 0 && text.every((byte) => byte >= 0x20 && byte < 0x7f) && bytes.subarray(text.byteLength).every((byte) => byte === 0); // biome-ignore format: one condition
}

/** The beginning of `text` that takes at most `maxBytes` in UTF-8, with "..." when it was cut. */
export function cutText(text: string, maxBytes: number): string {
  if (utf8(text).byteLength <= maxBytes) return text;
  let kept = "";
  let size = 0;
  for (const character of text) {
    size += utf8(character).byteLength;
    if (size > maxBytes - 3) break;
    kept += character;
  }
  return `${kept}...`;
}
