import { Command } from "commander";
import { Exit, type ExitCode, Stop } from "../../attester/cli/exit.ts";
import { wholeNumber } from "../../attester/owner/cli/arguments.ts";
import { realClock } from "../../hw/clock/real.ts";
import { mutations } from "./index.ts";
import { byAttacks, bySimulation, byTests, type Judge, type Noticed } from "./judges.ts";
import type { Mutation } from "./mutation.ts";
import { HEAD, type Result, rowOf, summary } from "./report.ts";
import { copyTree, type Tree } from "./tree.ts";

const EXAMPLES = `
Examples:
  npm run mutations                    half an hour of one core
  npm run mutations -- --only V1 T4

docs/testing.md has the table.
Exit codes: 0 each was noticed, 1 one was not, 2 usage, 70 bug.`;

const MAX_SEEDS = 100_000;
/** For all tests of all mutations together. */
const ALL_TESTS_MS = 1_800_000;

interface Arguments {
  readonly only: readonly string[];
  readonly list: boolean;
  readonly seeds: number;
}

export function mutationsCommand(): Command {
  return new Command("npm run mutations --")
    .description(
      "break a copy of the sources in one place after the other, and see whether tests, attacks or simulation notice",
    )
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--only <id...>", "only these", [])
    .option("--list", "show them and end", false)
    .option("--seeds <number>", "simulated seeds of each", wholeNumber(1, MAX_SEEDS), 15)
    .action(async (args: Arguments) => {
      process.exitCode = run(args);
    });
}

function run({ only, list, seeds }: Arguments): ExitCode {
  const unknown = only.filter((wanted) => !mutations.some(({ id }) => id === wanted));
  if (unknown.length > 0) throw new Stop(Exit.Usage, `there is no mutation ${unknown.join(", ")}; --list shows them`);
  const chosen = only.length === 0 ? mutations : mutations.filter(({ id }) => only.includes(id));
  if (list) {
    for (const { id, what, file } of chosen) console.log(`${id}  ${what} (${file})`);
    return Exit.Done;
  }
  const tree = copyTree();
  try {
    return runAll(tree, chosen, seeds);
  } finally {
    tree.remove();
  }
}

function runAll(tree: Tree, chosen: readonly Mutation[], seeds: number): ExitCode {
  const began = realClock.now();
  checkSound(tree, chosen, seeds);
  console.log(HEAD);
  const results = chosen.map((mutation) => {
    const result = tree.with(mutation, () => judged(tree, mutation, seeds));
    console.log(rowOf(result));
    return result;
  });
  console.log(summary(results, realClock.now() - began));
  return results.every(({ noticed }) => noticed) ? Exit.Done : Exit.Refused;
}

function judged(tree: Tree, mutation: Mutation, seeds: number): Result {
  const ask = (judge: Judge): Noticed => judge(tree.folder);
  const tests = ask(byTests(mutation.tests));
  const attacks = ask(byAttacks());
  const simulation = ask(bySimulation(seeds));
  return {
    mutation,
    tests,
    attacks,
    simulation,
    noticed: [tests, attacks, simulation].some(({ length }) => length > 0),
  };
}

/** Whoever objects to the copy as it is proves nothing about a mutation. */
function checkSound({ folder }: Tree, chosen: readonly Mutation[], seeds: number): void {
  const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))];
  const [objection] = [...byTests(tests, ALL_TESTS_MS)(folder), ...byAttacks()(folder), ...bySimulation(seeds)(folder)];
  if (objection !== undefined) throw new Stop(Exit.Refused, `without any mutation: ${objection}`);
}
