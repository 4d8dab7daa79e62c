import { createInterface } from "node:readline/promises";
import { toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import type { Question } from "../admission.ts";

const FINGERPRINT_BYTES = 8;

/** Asks on the terminal; anything but yes is no. `close` ends an open question with no. */
export function terminalQuestion(): { readonly ask: Question; close(): void } {
  const abort = new AbortController();
  const ask: Question = async (deviceId, publicKey) => {
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    // readline takes Ctrl-C from the terminal; it means the program, not the question.
    lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    const fingerprint = toHex(digest("sha256", publicKey).subarray(0, FINGERPRINT_BYTES));
    try {
      const text = `Token ${deviceId} (key ${fingerprint}) asks for a certificate. Issue one? [y/N] `;
      const answer = await lines.question(text, { signal: abort.signal });
      return /^y(?:es)?$/i.test(answer.trim());
    } finally {
      lines.close();
    }
  };
  return { ask, close: () => abort.abort() };
}
