/** How fast the deterministic simulation goes: on one core, and with a process for each. */
import { availableParallelism } from "node:os";
import { ask, startHelper } from "../sim/batch.ts";
import { provisionAndAttest } from "../sim/provision-and-attest.ts";
import { runSeed } from "../sim/run.ts";
import { type Bench, type Figure, medianOf, type Probe, type Result } from "./bench.ts";

const HONEST = "a stick provisioned, a computer enrolled and attested";
const TROUBLED = "a seed of trouble, 50 s and more of virtual time";
const ONE_CORE = "one process";
/** So many for each process at a time: a message more or less does not count. */
const BATCH = 10;
const GOAL_PER_SECOND = 200;
/** Seeds differ much in what they take: always the same ones. */
const SEEDS = 20;

/** Times, and milliseconds of the processor: on a machine that does other things, too, what is left of it. */
interface Spent {
  times: number;
  cpuMs: number;
}

async function counting(spent: Spent, run: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage();
  await run();
  spent.times += 1;
  spent.cpuMs += process.cpuUsage(before).user / 1000;
}

async function trouble(seed: number): Promise<void> {
  const { violation } = await runSeed(seed);
  if (violation !== undefined) throw new Error(`seed ${seed}: ${violation}`);
}

export const sim: Bench = {
  name: "sim",
  about: "the deterministic simulation: honest provision-and-attest, and seeds of trouble",
  iterations: 40,
  async open() {
    const cores = availableParallelism();
    const helpers = Array.from({ length: cores }, startHelper);
    const allCores = `${cores} processes, of ${cores * BATCH}`;
    const spent = { [HONEST]: { times: 0, cpuMs: 0 }, [TROUBLED]: { times: 0, cpuMs: 0 } };
    let seed = 0;
    const probes: readonly Probe[] = [
      { what: HONEST, way: ONE_CORE, run: () => counting(spent[HONEST], () => provisionAndAttest(seed++)) },
      {
        what: HONEST,
        way: allCores,
        run: async () =>
          void (await Promise.all(helpers.map((helper) => ask(helper, { honestFrom: seed, count: BATCH })))),
      },
      { what: TROUBLED, way: ONE_CORE, run: () => counting(spent[TROUBLED], () => trouble(1 + (seed++ % SEEDS))) },
    ];
    return {
      probes,
      figures: (results) => [figure(results, HONEST, ONE_CORE, 1), figure(results, HONEST, allCores, cores * BATCH)],
      notes: () =>
        Object.entries(spent).map(([what, { times, cpuMs }]) => ({
          what: `${what}: ${(cpuMs / times).toFixed(1)} ms of the processor`,
          cpuMs: cpuMs / times,
        })),
      async close() {
        for (const helper of helpers) helper.kill();
      },
    };
  },
};

function figure(results: readonly Result[], what: string, way: string, each: number): Figure {
  const value = (1000 * each) / medianOf(results, what, way);
  return { figure: `simulated ${what}: ${way}`, value, unit: "/s", goal: { atLeast: GOAL_PER_SECOND } };
}
