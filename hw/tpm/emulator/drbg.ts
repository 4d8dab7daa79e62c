import { hmac } from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";

/**
 * The stream from which a primary key is made: the same seed and context give the same key (Part 1, 26.3). HMAC-SHA-256 over a
 * counter, in counter mode as in SP 800-108; who does not know the seed cannot tell it from random.
 */
export function seededStream(seed: Uint8Array, ...context: readonly Uint8Array[]): Random {
  const key = hmac("sha256", seed, ...context);
  let counter = 0;
  let block = new Uint8Array(0);
  return {
    bytes(size) {
      const out = new Uint8Array(size);
      let at = 0;
      while (at < size) {
        if (block.byteLength === 0) block = new Uint8Array(hmac("sha256", key, counterBytes(counter++)));
        const part = block.subarray(0, size - at);
        out.set(part, at);
        at += part.byteLength;
        block = block.subarray(part.byteLength);
      }
      return out;
    },
  };
}

function counterBytes(counter: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, counter);
  return bytes;
}
