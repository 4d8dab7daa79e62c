import { randomBytes } from "node:crypto";
import type { Random } from "../../shared/ports/index.ts";

/** The operating system's random number generator. */
export const systemRandom: Random = { bytes: (size) => new Uint8Array(randomBytes(size)) };
