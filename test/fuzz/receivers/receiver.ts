import { dictionary } from "../dictionary.ts";
import type { Feed, Target } from "../target.ts";

/** Something that remembers what it was sent. */
export function receiver(
  name: string,
  seeds: readonly Uint8Array[],
  open: () => Feed | Promise<Feed>,
  tokens: readonly Uint8Array[] = dictionary.link,
): Target {
  return { name, remembers: true, seeds, tokens, corpus: [], open };
}

/** A line of a log that tells of a bug. */
export const isError = (line: string): boolean => line.startsWith("error");

/** So that the log of a long run does not count as memory of what is fuzzed. */
export function forgetHarmless(lines: string[]): void {
  lines.splice(0, lines.length, ...lines.filter(isError));
}
