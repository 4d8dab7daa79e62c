import { randomBytes } from "node:crypto";
import type { Random } from "../../shared/ports/index.ts";

/** Asking the system for a few bytes takes as long as asking it for this many. */
const STOCK_BYTES = 2_048;
const LARGE_BYTES = 256;

/** What is given out is wiped from the stock: it is nowhere but with who asked for it. */
function withStock(): Random {
  let stock = new Uint8Array(0);
  let at = 0;
  return {
    bytes(size) {
      if (size > LARGE_BYTES) return new Uint8Array(randomBytes(size));
      if (at + size > stock.byteLength) {
        stock = new Uint8Array(randomBytes(STOCK_BYTES));
        at = 0;
      }
      const given = stock.slice(at, at + size);
      stock.fill(0, at, at + size);
      at += size;
      return given;
    },
  };
}

/** The operating system's random number generator. */
export const systemRandom: Random = withStock();
