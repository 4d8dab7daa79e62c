import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { Exit, type ExitCode, Stop } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import { alone, type Outcome } from "./campaign.ts";
import { writeCorpus } from "./corpus.ts";
import { hex } from "./decoder.ts";
import { families } from "./inventory.ts";
import { performAll } from "./pool.ts";
import { failureLines, HEAD, outcomeLine, summary } from "./report.ts";
import type { Target } from "./target.ts";
import { targets } from "./targets.ts";

const EXAMPLES = `
Examples:
  npm run fuzz
  npm run fuzz -- --inputs 200000 --jobs 2
  npm run fuzz -- --only CoAP EEM --seconds 60
  npm run fuzz -- --only 'CoAP message' --replay 4001
  npm run fuzz -- --guided --write

docs/testing.md says what is fed, and what must hold.
Exit codes: 0 nothing failed, 1 something did, 2 usage, 70 bug.`;

const MAX_INPUTS = 999_999_999;
const MAX_SECONDS = 100_000;

interface Arguments {
  readonly inputs: number;
  readonly seconds: number;
  readonly seed: number;
  readonly jobs: number;
  readonly only: readonly string[];
  readonly replay?: Uint8Array;
  readonly guided: boolean;
  readonly write: boolean;
  readonly list: boolean;
}

export function fuzzCommand(all: readonly Target[] = targets): Command {
  return new Command("npm run fuzz --")
    .description("feed changed and random inputs to every decoder, and to the token behind its link")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--inputs <number>", "how many to each", numberFrom(1, MAX_INPUTS), 20_000)
    .option("--seconds <number>", "how long with each at most", numberFrom(1, MAX_SECONDS), MAX_SECONDS)
    .option("--only <words...>", "those of such a name, or with such words in it", [])
    .option("--seed <number>", "other inputs", numberFrom(0, MAX_INPUTS), 0)
    .option("--jobs <number>", "how many at a time", numberFrom(1, 64), availableParallelism())
    .option("--replay <hex>", "one input only, in this process", hexIn)
    .option("--guided", "look for inputs that reach new code", false)
    .option("--write", "keep those that --guided finds in test/fuzz/corpus", false)
    .option("--list", "show what can be fuzzed and end", false)
    .action(async (args: Arguments) => {
      process.exitCode = await run(args, all);
    });
}

function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most} belongs here.`);
  };
}

function hexIn(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new InvalidArgumentError("Pairs of hexadecimal digits belong here.");
  return hex(text);
}

/** A name in full means that one alone. */
function chosenBy(only: readonly string[], all: readonly Target[]): readonly Target[] {
  if (only.length === 0) return all;
  const chosen = only.flatMap((words) => {
    const wanted = words.toLowerCase();
    const exact = all.filter(({ name }) => name.toLowerCase() === wanted);
    const found = exact.length > 0 ? exact : all.filter(({ name }) => name.toLowerCase().includes(wanted));
    if (found.length === 0) throw new Stop(Exit.Usage, `nothing is called ${words}; --list shows the names`);
    return found;
  });
  return all.filter((target) => chosen.includes(target));
}

async function run(args: Arguments, all: readonly Target[]): Promise<ExitCode> {
  const chosen = chosenBy(args.only, all);
  if (args.write && !args.guided) throw new Stop(Exit.Usage, "--write keeps what --guided finds");
  if (args.list) {
    for (const { name, corpus } of chosen) console.log(`${name}${corpus.length === 0 ? "" : ` (${corpus.length})`}`);
    return Exit.Done;
  }
  return args.replay === undefined ? fuzz(args, chosen) : replay(args.replay, chosen);
}

async function replay(input: Uint8Array, chosen: readonly Target[]): Promise<ExitCode> {
  let failed = 0;
  for (const target of chosen) {
    const what = await alone(target, input);
    if (what !== undefined) failed++;
    console.log(`${target.name}: ${what ?? "decoded or refused"}`);
  }
  return failed === 0 ? Exit.Done : Exit.Refused;
}

async function fuzz(args: Arguments, chosen: readonly Target[]): Promise<ExitCode> {
  const { inputs, seconds, seed, guided, jobs, write } = args;
  const began = realClock.now();
  const outcomes: Outcome[] = [];
  const found = new Map<string, readonly Uint8Array[]>();
  console.log(HEAD);
  const tasks = chosen.map(({ name, remembers }) => ({ name, remembers, inputs, seconds, seed, guided }));
  await performAll(tasks, jobs, ({ outcome, found: kept }, { name }) => {
    outcomes.push(outcome);
    found.set(name, kept.map(hex));
    console.log(outcomeLine(outcome));
    if (outcome.failure !== undefined) console.log(failureLines(outcome, outcome.failure, seed));
  });
  console.log(summary(outcomes, (realClock.now() - began) / 1_000));
  if (write) keep(found, all(chosen));
  return outcomes.every(({ failure }) => failure === undefined) ? Exit.Done : Exit.Refused;
}

/** What was found replaces what was kept of these; the others stay as they are. */
function keep(found: ReadonlyMap<string, readonly Uint8Array[]>, corpora: ReadonlyMap<string, readonly Uint8Array[]>) {
  for (const { name: family, decoders } of families) {
    writeCorpus(family, new Map(decoders.map(({ name }) => [name, found.get(name) ?? corpora.get(name) ?? []])));
  }
}

const all = (chosen: readonly Target[]) => new Map([...targets, ...chosen].map(({ name, corpus }) => [name, corpus]));
