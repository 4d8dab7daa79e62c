import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { Exit, type ExitCode } from "../../attester/cli/exit.ts";
import { wholeNumber } from "../../attester/owner/cli/arguments.ts";
import { realClock } from "../../hw/clock/real.ts";
import { carryOutAll, type Errand } from "./batch.ts";
import { addRun, progress, type Sum, summary } from "./report.ts";

const EXAMPLES = `
Examples:
  npm run sim
  npm run sim -- --seeds 1..2000
  npm run sim -- --seeds 1..2000 --jobs 8
  npm run sim -- --seeds 17..17 --only 0,3 --trace

docs/testing.md says what is simulated and what must hold.
Exit codes: 0 every seed held, 1 one did not, 2 usage, 70 bug.`;

interface Seeds {
  readonly first: number;
  readonly last: number;
}

/** Who waits longer hears how far it is. */
const PROGRESS_MS = 10_000;

interface Arguments {
  readonly seeds: Seeds;
  readonly only?: readonly number[];
  readonly trace: boolean;
  readonly jobs: number;
}

export function simCommand(): Command {
  return new Command("npm run sim --")
    .description("token, attester, owner, TPM and link in one thread, with trouble drawn from a seed")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--seeds <A..B>", "which seeds", seedsIn, { first: 1, last: 100 })
    .option("--only <places>", "only these troubles of a seed's plan, or none", placesIn)
    .option("--trace", "print the whole trace of each seed, and its digest", false)
    .option(
      "--jobs <number>",
      "how many processes; changes nothing but the time",
      wholeNumber(1, 64),
      availableParallelism(),
    )
    .action(async (args: Arguments) => {
      process.exitCode = await run(args);
    });
}

function seedsIn(text: string): Seeds {
  const [, first, last] = /^(\d{1,12})\.\.(\d{1,12})$/.exec(text) ?? [];
  const seeds = { first: Number(first), last: Number(last) };
  if (first === undefined || seeds.last < seeds.first)
    throw new InvalidArgumentError("Two numbers belong here: 1..100.");
  return seeds;
}

function placesIn(text: string): readonly number[] {
  if (text === "none") return [];
  if (!/^\d{1,3}(,\d{1,3})*$/.test(text)) throw new InvalidArgumentError("Numbers belong here, as in 0,3, or none.");
  return text.split(",").map(Number);
}

function* errandsFor({ first, last }: Seeds, how: Omit<Errand, "seed">): Iterable<Errand> {
  for (let seed = first; seed <= last; seed++) yield { seed, ...how };
}

async function run({ seeds, only, trace, jobs }: Arguments): Promise<ExitCode> {
  const began = realClock.now();
  let sum: Sum = { runs: 0, failed: 0, slowestGreenMs: 0, wallMs: 0 };
  const total = seeds.last - seeds.first + 1;
  let toldAt = began;
  await carryOutAll(errandsFor(seeds, { only, trace }), Math.min(jobs, total), (report) => {
    const now = realClock.now();
    sum = { ...addRun(sum, report), wallMs: now - began };
    for (const line of report.lines) console.log(line);
    if (now - toldAt < PROGRESS_MS) return;
    toldAt = now;
    console.error(progress(sum, total));
  });
  console.log(summary({ ...sum, wallMs: realClock.now() - began }));
  return sum.failed === 0 ? Exit.Done : Exit.Refused;
}
