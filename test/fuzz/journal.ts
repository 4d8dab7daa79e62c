import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { concat, encode, Reader, u32be } from "../../shared/bytes/index.ts";

/** The file of the last input, its number and length in front. */
export function openJournal(file: string): { write(input: Uint8Array): void; close(): void } {
  const opened = openSync(file, "w");
  let number = 0;
  return {
    write: (input) => {
      writeSync(opened, concat(encode(u32be, ++number), encode(u32be, input.byteLength), input), 0, undefined, 0);
    },
    close: () => closeSync(opened),
  };
}

/** Nothing, where the worker ended before it had an input. */
export function readJournal(file: string): { readonly number: number; readonly input: Uint8Array } {
  const from = new Reader(existsSync(file) ? new Uint8Array(readFileSync(file)) : new Uint8Array(0));
  if (from.remaining < 8) return { number: 0, input: new Uint8Array(0) };
  const number = from.u32be();
  return { number, input: from.bytes(from.u32be()) };
}
