/** What one input, and what all of a run, may take. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export const limits = {
  /** Of the processor for one input, at its best of several times: machines pause. YAML took 1.9 s for a tower of 60,000 bytes. */
  inputMs: 5_000,
  /** Memory taken for one input, freed later or not. */
  inputBytes: 128 * 1_048_576,
  /** Memory in use after all inputs over that before them. */
  growthBytes: 24 * 1_048_576,
  /** A worker's stack: half of what programs have. */
  stackKb: 492,
  /** A worker's heap. */
  heapMb: 512,
  /** Without a sign of life, also on a machine that has other things to do. */
  hangMs: 120_000,
} as const;

/** Bytes on the heap and in buffers outside of it. */
export function bytesInUse(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics();
  return heap + outside;
}

/** Makes a collector that can be called; the flag is the process's. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("this Node has no collector to call");
  return () => void collect();
}

/** Buffers that one finds unused are counted until the next. */
const COLLECTIONS = 2;
let collect: (() => void) | undefined;

/** The same after everything that nobody needs is gone. */
export function bytesKept(): number {
  collect ??= collector();
  for (let i = 0; i < COLLECTIONS; i++) collect();
  return bytesInUse();
}
