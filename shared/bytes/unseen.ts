/** Characters that are not shown: controls, what turns or hides text (format), line separators, and such as mean nothing by themselves. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** `text` with something to see in the place of each: text of a peer steers no terminal, and no eye. */
export function replaceUnseen(text: string, instead: (character: string) => string): string {
  return text.replaceAll(UNSEEN, instead);
}
