import { cpus } from "node:os";
import { Command } from "commander";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { wholeNumber } from "../../attester/owner/cli/arguments.ts";
import { tableOf } from "../../attester/owner/cli/table.ts";
import { type Amount, amountFor, type Bench, measure, type Result } from "./bench.ts";
import { log } from "./log.ts";
import { tpm } from "./tpm.ts";
import { usb } from "./usb.ts";

const benches: readonly Bench[] = [usb, log, tpm];

const DEFAULT_ITERATIONS = 2_000;
const DEFAULT_WARM_UP = 500;
const MAX = 999_999;

interface Arguments extends Amount {
  readonly json: boolean;
}

function chosen(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return benches;
  return names.map((name) => {
    const found = benches.find((bench) => bench.name === name);
    if (found !== undefined) return found;
    throw new Stop(Exit.Usage, `there is no bench ${name}; there is ${benches.map((bench) => bench.name).join(", ")}`);
  });
}

const HEADS = ["WHAT", "WAY", "MEDIAN ms", "P95 ms", "RATIO"];
const ms = (time: number) => time.toFixed(3);
const times = (ratio: number) => (ratio < 0.01 ? ratio.toPrecision(1) : ratio.toFixed(2));

function tableFor(results: readonly Result[]): string {
  const rows = results.map(({ what, way, medianMs, p95Ms, ratio }, i) => [
    results[i - 1]?.what === what ? "" : what,
    way,
    ms(medianMs),
    ms(p95Ms),
    times(ratio),
  ]);
  return tableOf(HEADS, rows);
}

async function run(names: readonly string[], { json, ...amount }: Arguments): Promise<void> {
  for (const bench of chosen(names)) {
    const { results, notes } = await measure(bench, amount);
    if (json) {
      for (const result of [...results, ...notes]) console.log(JSON.stringify({ bench: bench.name, ...result }));
      continue;
    }
    console.log(`${bench.name}: ${bench.about}`);
    console.log(
      `${amountFor(bench, amount).iterations} times each, Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}`,
    );
    console.log(tableFor(results));
    for (const { what } of notes) console.log(what);
  }
}

export function benchCommand(name = "npm run bench --"): Command {
  const list = benches.map((bench) => `  ${bench.name.padEnd(8)}${bench.about}`).join("\n");
  return new Command(name)
    .description("measure; figures are for comparing within one run, on one machine")
    .argument("[names...]", "which benches; all unless said otherwise")
    .option("--iterations <number>", "how often each thing is measured", wholeNumber(1, MAX), DEFAULT_ITERATIONS)
    .option("--warm-up <number>", "how often it is done before", wholeNumber(0, MAX), DEFAULT_WARM_UP)
    .option("--json", "one JSON object a line", false)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", `\nBenches:\n${list}\n\nRATIO is the median over that of the first way of the same thing.`)
    .action(run);
}
