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
