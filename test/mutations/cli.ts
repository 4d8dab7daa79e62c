import { Command } from "commander";
import { Exit, type ExitCode, Said, Stop, untilSignal } from "../../attester/cli/exit.ts";
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
      process.exitCode = await run(args);
    });
}

async function run({ only, list, seeds }: Arguments): Promise<ExitCode> {
  const unknown = only.filter((wanted) => !mutations.some(({ id }) => id === wanted));
  if (unknown.length > 0) throw new Stop(Exit.Usage, `there is no mutation ${unknown.join(", ")}; --list shows them`);
  const chosen = only.length === 0 ? mutations : mutations.filter(({ id }) => only.includes(id));
  if (list) {
    for (const { id, what, file } of chosen) console.log(`${id}  ${what} (${file})`);
    return Exit.Done;
  }
  return untilEnded(async (ended) => {
    const tree = copyTree();
    try {
      return await new Trial(tree, seeds, ended).run(chosen);
    } finally {
      tree.remove();
    }
  });
}

/** On Ctrl-C and its like `use` is told to stop; when it has, the program ends by the signal. */
async function untilEnded(use: (ended: AbortSignal) => Promise<ExitCode>): Promise<ExitCode> {
  const { signal, release } = untilSignal();
  const stop = new AbortController();
  void signal.then((name) => stop.abort(name));
  try {
    return await use(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    release();
    process.kill(process.pid, stop.signal.reason);
    throw new Said(Exit.Refused); // where the signal is ignored, as that of a broken pipe is
  } finally {
    release();
  }
}

/** A copy of the sources, and those who judge it. */
class Trial {
  readonly #tree: Tree;
  readonly #seeds: number;
  readonly #ended: AbortSignal;

  constructor(tree: Tree, seeds: number, ended: AbortSignal) {
    this.#tree = tree;
    this.#seeds = seeds;
    this.#ended = ended;
  }

  async run(chosen: readonly Mutation[]): Promise<ExitCode> {
    const began = realClock.now();
    console.error(`first ${this.#tree.folder}, a copy of the sources as they are, which nobody may object to`);
    await this.#checkSound(chosen);
    console.log(HEAD);
    const results: Result[] = [];
    for (const mutation of chosen) {
      const result = await this.#tree.with(mutation, () => this.#judged(mutation));
      console.log(rowOf(result));
      results.push(result);
    }
    console.log(summary(results, realClock.now() - began));
    return results.every(({ noticed }) => noticed) ? Exit.Done : Exit.Refused;
  }

  #ask(judge: Judge): Promise<Noticed> {
    return judge(this.#tree.folder, this.#ended);
  }

  async #judged(mutation: Mutation): Promise<Result> {
    const tests = await this.#ask(byTests(mutation.tests));
    const attacks = await this.#ask(byAttacks());
    const simulation = await this.#ask(bySimulation(this.#seeds));
    const noticed = [tests, attacks, simulation].some(({ length }) => length > 0);
    return { mutation, tests, attacks, simulation, noticed };
  }

  /** Whoever objects to the copy as it is proves nothing about a mutation. */
  async #checkSound(chosen: readonly Mutation[]): Promise<void> {
    const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))];
    for (const judge of [byTests(tests, ALL_TESTS_MS), byAttacks(), bySimulation(this.#seeds)]) {
      const [objection] = await this.#ask(judge);
      if (objection !== undefined) throw new Stop(Exit.Refused, `without any mutation: ${objection}`);
    }
  }
}
