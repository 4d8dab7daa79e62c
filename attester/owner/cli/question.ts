import { createInterface } from "node:readline/promises";
import { toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { Question } from "../admission.ts";

const FINGERPRINT_BYTES = 8;

/** Anything but yes is no, and so is the end of the terminal (Ctrl-D) or of `signal`. */
export async function isYes(
  text: string,
  output: NodeJS.WritableStream = process.stdout,
  signal?: AbortSignal,
): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output });
  // readline takes Ctrl-C from the terminal; it means the program, not the question.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const closed = new AbortController();
  lines.on("close", () => closed.abort());
  const ends = signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]);
  try {
    const answer = await lines.question(`${text} [y/N] `, { signal: ends });
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    if (!ends.aborted) throw error;
    output.write("\n"); // the question's line has no end yet
    return false;
  } finally {
    lines.close();
  }
}

/** Asks on the terminal whether a token may have a certificate. `close` ends an open question with no. */
export function terminalQuestion(output?: NodeJS.WritableStream): { readonly ask: Question; close(): void } {
  const abort = new AbortController();
  const ask: Question = (deviceId, publicKey) => {
    const fingerprint = toHex(digest("sha256", publicKey).subarray(0, FINGERPRINT_BYTES));
    const text = `Token ${deviceId} (key ${fingerprint}) asks for a certificate. Issue one?`;
    return isYes(text, output, abort.signal);
  };
  return { ask, close: () => abort.abort() };
}
