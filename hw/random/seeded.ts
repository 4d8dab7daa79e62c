import { hash } from "node:crypto";
import type { Random } from "../../shared/ports/index.ts";

const BLOCK_BYTES = 32;

/**
 * A deterministic stream: SHA-256(label || counter), block after block. For simulation and tests: whoever knows the seed knows every key.
 * `label` keeps several streams of one seed apart.
 */
export function seededRandom(seed: number | string, label = ""): Random {
  const prefix = `fobnail-seed:${seed}:${label}:`;
  let counter = 0;
  let block = new Uint8Array(0);
  return {
    bytes(size) {
      const out = new Uint8Array(size);
      let at = 0;
      while (at < size) {
        if (block.byteLength === 0) {
          block = new Uint8Array(hash("sha256", `${prefix}${counter++}`, "buffer"));
        }
        const part = block.subarray(0, Math.min(BLOCK_BYTES, size - at));
        out.set(part, at);
        at += part.byteLength;
        block = block.subarray(part.byteLength);
      }
      return out;
    },
  };
}
