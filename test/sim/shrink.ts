import { type RunOptions, type RunResult, runSeed } from "./run.ts";

export interface Shrunk {
  /** Places in the plan of the troubles that are needed. */
  readonly only: readonly number[];
  readonly result: RunResult;
}

/** The same violation with as few troubles as leaving out one after the other finds. */
export async function shrink(failed: RunResult, options: RunOptions): Promise<Shrunk> {
  let shrunk: Shrunk = { only: options.only ?? [...failed.plan.troubles.keys()], result: failed };
  for (const left of shrunk.only) {
    const only = shrunk.only.filter((place) => place !== left);
    const result = await runSeed(failed.seed, { ...options, only });
    if (kindOf(result) === kindOf(failed)) shrunk = { only, result };
  }
  return shrunk;
}

/** What was violated, without times and counts. */
function kindOf({ violation }: RunResult): string | undefined {
  return violation?.replace(/[0-9a-f]*\d[0-9a-f.]*/g, "");
}
