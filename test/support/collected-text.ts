/** A place for a program's lines, with all that was written there. */
export function collectedText() {
  let text = "";
  return {
    write(part: string) {
      text += part;
    },
    get text() {
      return text;
    },
  };
}
