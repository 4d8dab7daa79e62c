/** Inputs that reach code which blind changes do not, one a line as NAME: HEX, in a file for each family of decoders. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hex } from "./decoder.ts";

const fileOf = (family: string) => fileURLToPath(new URL(`./corpus/${family}.hex`, import.meta.url));

export type Corpus = ReadonlyMap<string, readonly Uint8Array[]>;

const read = new Map<string, Corpus>();

/** By the names of decoders; empty where nothing was found yet. */
export function corpus(family: string): Corpus {
  const known = read.get(family);
  if (known !== undefined) return known;
  const entries = new Map<string, Uint8Array[]>();
  const text = existsSync(fileOf(family)) ? readFileSync(fileOf(family), "utf8") : "";
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const at = line.lastIndexOf(": ");
    const name = line.slice(0, at);
    entries.set(name, [...(entries.get(name) ?? []), hex(line.slice(at + 2))]);
  }
  read.set(family, entries);
  return entries;
}

export function corpusOf(family: string, name: string): readonly Uint8Array[] {
  return corpus(family).get(name) ?? [];
}

export function writeCorpus(family: string, entries: Corpus): void {
  const lines = [...entries].flatMap(([name, inputs]) =>
    inputs.map((input) => `${name}: ${Buffer.from(input).toString("hex")}\n`),
  );
  writeFileSync(fileOf(family), lines.join(""));
}
