import { Honest } from "./honest.ts";
import { type Plan, planOf } from "./plan.ts";
import { Troubles } from "./troubles.ts";
import { createWorld, type Sabotage, type World } from "./world.ts";

/** Then all trouble ends, also what would have lasted longer. */
const TROUBLED_MS = 50_000;
/** Within this time of the end of all trouble the computer is attested: docs/testing.md. */
export const GREEN_WITHIN_MS = 20_000;
const STAYS_GREEN_MS = 5_000;

export interface RunOptions {
  /** Which troubles of the plan happen, by their places in it; all when left out. */
  readonly only?: readonly number[] | undefined;
  readonly sabotage?: Sabotage | undefined;
}

export interface RunResult {
  readonly seed: number;
  readonly plan: Plan;
  /** What did not hold; undefined when everything did. */
  readonly violation: string | undefined;
  /** Of all frames and all lines of the trace. */
  readonly digest: string;
  readonly trace: readonly string[];
  /** From the end of trouble to green. */
  readonly greenAfterMs: number | undefined;
}

/** The run of one seed. */
export async function runSeed(seed: number, { only, sabotage }: RunOptions = {}): Promise<RunResult> {
  const plan = planOf(seed);
  const world = await createWorld(seed, sabotage);
  const { twin, oracle, trace } = world;
  const { clock } = twin.pace;
  const honest = new Honest({
    ...{ twin, manner: plan.manner, file: oracle.file },
    isGood: () => oracle.isGood,
    tell: (line) => trace.tell(line),
    fail: (what) => oracle.fail(what),
  });
  const troubles = new Troubles(world, honest);
  await world.boot("orderly", "good");
  twin.plug();
  const driving = honest.run();
  for (const [i, planned] of plan.troubles.entries()) {
    if (only === undefined || only.includes(i)) clock.after(planned.atMs, () => troubles.befall(planned));
  }
  let greenAfterMs: number | undefined;
  try {
    await twin.pace.until(() => world.step(), TROUBLED_MS);
    if (oracle.violation === undefined) greenAfterMs = await calm(world, troubles);
  } catch (error) {
    oracle.fail(`thrown: ${String(error)}`);
  }
  honest.end();
  await driving;
  const result = {
    seed,
    plan,
    violation: oracle.violation,
    digest: trace.digest,
    trace: [...trace.lines],
    greenAfterMs,
  };
  await twin.close();
  return result;
}

/** Ends all trouble and waits for green; the milliseconds it took. */
async function calm(world: World, troubles: Troubles): Promise<number | undefined> {
  const { twin, oracle, trace } = world;
  const began = twin.pace.clock.now();
  trace.tell("all trouble ends");
  await troubles.end();
  const before = oracle.trusted; // a session from before the last boot may still show
  const isGreen = () => oracle.trusted > before && twin.sessions > 0 && twin.lamps.green;
  await twin.pace.until(() => world.step() || isGreen(), GREEN_WITHIN_MS);
  if (!isGreen()) oracle.fail(`not green within ${GREEN_WITHIN_MS / 1000} s of the end of all trouble`);
  const tookMs = twin.pace.clock.now() - began;
  await twin.pace.until(() => world.step() || !isGreen(), STAYS_GREEN_MS);
  if (!isGreen()) oracle.fail("green does not last");
  return tookMs;
}
