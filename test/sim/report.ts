import type { Report } from "./batch.ts";
import { describePlan, describePlanned } from "./plan.ts";
import { GREEN_WITHIN_MS } from "./run.ts";
import type { Shrunk } from "./shrink.ts";

const TRACE_LINES = 25;

/** The violation, how to see it again, and the end of a short trace. */
export function failureLines({ only, result }: Shrunk): readonly string[] {
  const { seed, plan, violation, trace } = result;
  const left = Math.max(0, trace.length - TRACE_LINES);
  return [
    `seed ${seed}: ${violation}`,
    `  again: npm run sim -- --seeds ${seed}..${seed} --only ${only.length === 0 ? "none" : only.join(",")} --trace`,
    `  ${describePlan(plan)}`,
    `  ${only.length} of ${plan.troubles.length} troubles are needed:`,
    ...plan.troubles.flatMap((planned, i) => (only.includes(i) ? [`    ${i}: ${describePlanned(planned)}`] : [])),
    `  the trace${left === 0 ? "" : `, without its first ${left} lines`}:`,
    ...trace.slice(left).map((line) => `    ${line}`),
  ];
}

export interface Sum {
  readonly runs: number;
  readonly failed: number;
  readonly slowestGreenMs: number;
  readonly wallMs: number;
}

export function addRun(sum: Sum, { held, greenAfterMs }: Report): Sum {
  return {
    ...sum,
    runs: sum.runs + 1,
    failed: sum.failed + (held ? 0 : 1),
    slowestGreenMs: Math.max(sum.slowestGreenMs, greenAfterMs),
  };
}

/** How far it is with `total` seeds. */
export function progress({ runs, failed, wallMs }: Sum, total: number): string {
  const rate = runs / (wallMs / 1000);
  const left = Math.ceil((total - runs) / rate);
  return `${runs} of ${total} seeds, ${failed} failed; ${rate.toFixed(1)} a second, ${left} s left`;
}

export function summary({ runs, failed, slowestGreenMs, wallMs }: Sum): string {
  const rate = (runs / (wallMs / 1000)).toFixed(1);
  const green = `green at most ${(slowestGreenMs / 1000).toFixed(1)} s of virtual time after all trouble`;
  const times = `${(wallMs / 1000).toFixed(1)} s, ${rate} a second`;
  return `${runs - failed} of ${runs} seeds held; ${green} (${GREEN_WITHIN_MS / 1000} allowed); ${times}`;
}
