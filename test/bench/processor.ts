/** What a probe takes of the processor, beside what the clock on the wall says: on a machine that others use, too, that tells of them as well. */

import type { Probe, Result } from "./bench.ts";
import { figuresOf } from "./figures.ts";

export interface OnProcessor {
  readonly probe: Probe;
  /** Milliseconds of one processor, all threads of this process together: the median of the runs that `results` has of the probe. */
  medianMs(results: readonly Result[]): number;
}

/** Asking the system takes a quarter of a millisecond on some: only for what takes many times longer. */
export function onProcessor({ what, way, run }: Probe): OnProcessor {
  const taken: number[] = [];
  return {
    probe: {
      what,
      way,
      async run() {
        const before = process.cpuUsage();
        await run();
        const { user, system } = process.cpuUsage(before);
        taken.push((user + system) / 1_000);
      },
    },
    medianMs(results) {
      const count = results.find((result) => result.what === what && result.way === way)?.count ?? 0;
      return figuresOf(taken.slice(-count)).medianMs; // behind those of the warm-up
    },
  };
}
