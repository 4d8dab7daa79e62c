import { cpus } from "node:os";
import { Command } from "commander";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { wholeNumber } from "../../attester/owner/cli/arguments.ts";
import { tableOf } from "../../attester/owner/cli/table.ts";
import { attest } from "./attest.ts";
import { type Amount, amountFor, type Bench, type Figure, isReached, measure, type Result } from "./bench.ts";
import { coap } from "./coap.ts";
import { log } from "./log.ts";
import { sim } from "./sim.ts";
import { start } from "./start.ts";
import { tokens } from "./tokens.ts";
import { tpm } from "./tpm.ts";
import { usb } from "./usb.ts";
import { v0 } from "./v0.ts";

const benches: readonly Bench[] = [usb, log, tpm, coap, start, attest, sim, tokens, v0];

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

const FIGURE_HEADS = ["FIGURE", "MEASURED", "GOAL", ""];
/** Three digits, without an exponent. */
const short = (value: number) => Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 });
const withUnit = (value: number, unit: string) => `${short(value)} ${unit}`.trim();

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((entry) => {
    const { figure, value, unit, goal } = entry;
    const wanted = "atLeast" in goal ? `>= ${withUnit(goal.atLeast, unit)}` : `<= ${withUnit(goal.atMost, unit)}`;
    return [figure, withUnit(value, unit), wanted, isReached(entry) ? "reached" : "not reached"];
  });
  return tableOf(FIGURE_HEADS, rows);
}

async function run(names: readonly string[], { json, ...amount }: Arguments): Promise<void> {
  const reached: Figure[] = [];
  for (const bench of chosen(names)) {
    const { results, figures, notes } = await measure(bench, amount);
    reached.push(...figures);
    if (json) {
      for (const result of [...results, ...figures, ...notes])
        console.log(JSON.stringify({ bench: bench.name, ...result }));
      continue;
    }
    console.log(`${bench.name}: ${bench.about}`);
    console.log(
      `${amountFor(bench, amount).iterations} times each, Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}`,
    );
    console.log(tableFor(results));
    for (const { what } of notes) console.log(what);
    console.log("");
  }
  if (!json && reached.length > 0) console.log(figureTable(reached));
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
