import { Honest } from "./honest.ts";
import { type Plan, planOf } from "./plan.ts";
import type { Sabotage, Site } from "./site.ts";
import { Troubles } from "./troubles.ts";
import { World } from "./world.ts";

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
  /** From the end of trouble, or from the last move of a stick, until all computers with a stick were green. */
  readonly greenAfterMs: number | undefined;
}

/** The run of one seed. */
export async function runSeed(seed: number, { only, sabotage }: RunOptions = {}): Promise<RunResult> {
  const plan = planOf(seed);
  const world = await World.create(seed, plan, sabotage);
  const { findings, trace, clock, pace, sites } = world;
  const honest = sites.map(
    (site, i) => new Honest({ site, manner: plan.computers[i]?.manner ?? "files", tell: (line) => trace.tell(line) }),
  );
  const troubles = new Troubles(world, honest);
  for (const site of sites) await site.boot("orderly", "good");
  for (const site of sites) site.plug();
  const driving = Promise.all(honest.map((user) => user.run()));
  for (const [i, planned] of plan.troubles.entries()) {
    if (only === undefined || only.includes(i)) clock.after(planned.atMs, () => troubles.befall(planned));
  }
  let greenAfterMs: number | undefined;
  try {
    await pace.until(() => world.step(), TROUBLED_MS);
    if (findings.violation === undefined) greenAfterMs = await calm(world, troubles);
  } catch (error) {
    findings.fail(`thrown: ${String(error)}`);
  }
  for (const user of honest) user.end();
  await driving;
  await world.close();
  const { violation } = findings;
  return { seed, plan, violation, digest: trace.digest, trace: [...trace.lines], greenAfterMs };
}

/** Ends all trouble and waits for green everywhere, also after the sticks have moved on; the milliseconds it took at most. */
async function calm(world: World, troubles: Troubles): Promise<number | undefined> {
  world.trace.tell("all trouble ends");
  const before = world.sites.map(({ oracle }) => oracle.trusted); // a session from before the last boot may still show
  await troubles.end();
  const tookMs = await untilGreen(world, before);
  if (!world.hasOtherPlaces || world.findings.violation !== undefined) return tookMs;
  world.trace.tell("the sticks move on");
  const beforeMove = world.sites.map(({ oracle }) => oracle.trusted);
  world.moveSticks();
  for (const site of world.sites) site.plug();
  return Math.max(tookMs, await untilGreen(world, beforeMove));
}

/** Until each computer with a stick was trusted once more than `before` and is green, and stays so. */
async function untilGreen(world: World, before: readonly number[]): Promise<number> {
  const { sites, pace, clock, findings } = world;
  const began = clock.now();
  const isGreen = ({ slot, oracle, twin }: Site, i: number) =>
    slot.stick === undefined || (oracle.trusted > (before[i] ?? 0) && twin.sessions > 0 && twin.lamps.green);
  const areGreen = () => sites.every(isGreen);
  await pace.until(() => world.step() || areGreen(), GREEN_WITHIN_MS);
  if (!areGreen()) findings.fail(`not green within ${GREEN_WITHIN_MS / 1000} s of the end of all trouble`);
  const tookMs = clock.now() - began;
  await pace.until(() => world.step() || !areGreen(), STAYS_GREEN_MS);
  if (!areGreen()) findings.fail("green does not last");
  return tookMs;
}
