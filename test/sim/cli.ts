import { Command, InvalidArgumentError } from "commander";
import { Exit, type ExitCode } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { addRun, failureLines, type Sum, summary } from "./report.ts";
import { runSeed } from "./run.ts";
import { shrink } from "./shrink.ts";

const EXAMPLES = `
Examples:
  npm run sim
  npm run sim -- --seeds 1..2000
  npm run sim -- --seeds 17..17 --only 0,3 --trace

docs/testing.md says what is simulated and what must hold.
Exit codes: 0 every seed held, 1 one did not, 2 usage, 70 bug.`;

interface Seeds {
  readonly first: number;
  readonly last: number;
}

interface Arguments {
  readonly seeds: Seeds;
  readonly only?: readonly number[];
  readonly trace: boolean;
}

export function simCommand(): Command {
  return new Command("npm run sim --")
    .description("token, attester, owner, TPM and link in one thread, with trouble drawn from a seed")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--seeds <A..B>", "which seeds", seedsIn, { first: 1, last: 100 })
    .option("--only <places>", "only these troubles of a seed's plan, or none", placesIn)
    .option("--trace", "print the whole trace of each seed, and its digest", false)
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

async function run({ seeds, only, trace }: Arguments): Promise<ExitCode> {
  const began = realClock.now();
  let sum: Sum = { runs: 0, failed: 0, slowestGreenMs: 0, wallMs: 0 };
  for (let seed = seeds.first; seed <= seeds.last; seed++) {
    const result = await runSeed(seed, { only });
    sum = addRun(sum, result);
    if (trace) console.log([...result.trace, `digest of seed ${seed}: ${result.digest}`].join("\n"));
    if (result.violation !== undefined) console.log(failureLines(await shrink(result, { only })).join("\n"));
  }
  console.log(summary({ ...sum, wallMs: realClock.now() - began }));
  return sum.failed === 0 ? Exit.Done : Exit.Refused;
}
