import { closeSync, openSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { realClock } from "../../../hw/clock/real.ts";
import { packageFolder } from "../../../hw/terminal/version.ts";
import { TPM_SPEC_FORMS } from "../../../hw/tpm/spec.ts";
import { Exit, Stop } from "../exit.ts";
import { realPace, virtualPace } from "../twin/pace.ts";
import { ownerForTwin, sourceFor, tpmForTwin, twinStop } from "../twin/setup.ts";
import { Twin } from "../twin/twin.ts";
import { junitReport } from "./junit.ts";
import { loadScenario, ScenarioFileError } from "./load.ts";
import { platformOf } from "./platform.ts";
import { runScenario, type ScenarioResult } from "./run.ts";
import type { Scenario } from "./schema.ts";

const EXAMPLES = `
Examples:
  fobnail scenario list
  fobnail scenario run test/scenarios/01-walk-through.yaml
  fobnail scenario run test/scenarios/*.yaml --seed 7 --junit results.xml
  fobnail scenario run my.yaml --tpm swtpm:127.0.0.1:2401,ctrl=2402 --real-time

Exit codes: 0 all scenarios held, 1 one did not, 2 usage or a file that cannot be run as written, 3 TPM not reached, 70 bug.`;

interface RunArguments {
  readonly seed?: number;
  readonly tpm?: string;
  readonly junit?: string;
  readonly realTime: boolean;
}

function seedNumber(text: string): number {
  const seed = Number(text);
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("A whole number belongs here.");
  return seed;
}

/** `fobnail scenario`. */
export function scenarioCommand(name = "fobnail scenario"): Command {
  const program = new Command(name)
    .description("run scenario files: token, link, attester, owner and TPM in one process")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("afterAll", EXAMPLES);
  program
    .command("run")
    .argument("<file...>", "scenario files (docs/scenarios.md)")
    .description("run them one after the other")
    .option("--seed <n>", "everything from this seed: repeatable, and insecure", seedNumber)
    .option("--tpm <tpm>", `emulator by default; ${TPM_SPEC_FORMS}`)
    .option("--junit <file>", "write the results as JUnit XML, when the run ends")
    .option("--real-time", "let time pass as on the wall", false)
    .action(async (files: readonly string[], args: RunArguments) => {
      process.exitCode = await run(files, args);
    });
  program.command("list").description("the scenarios that come with the program").action(list);
  return program;
}

function list(): void {
  const folder = join(packageFolder, "test", "scenarios");
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort()) {
    const path = join(folder, file);
    console.log(`${relative(process.cwd(), path)}  ${loadScenario(path).name}`);
  }
}

function load(file: string): Scenario {
  try {
    return loadScenario(file);
  } catch (error) {
    if (error instanceof ScenarioFileError) throw new Stop(Exit.Usage, error.message, { cause: error });
    throw error;
  }
}

async function run(files: readonly string[], args: RunArguments): Promise<number> {
  const scenarios = files.map(load); // all of them before the first runs
  const { junit } = args;
  if (junit !== undefined) writing(junit, () => closeSync(openSync(junit, "a"))); // so that an impossible file is known now
  const results: ScenarioResult[] = [];
  try {
    for (const scenario of scenarios) await runNext(scenario, args, results);
  } finally {
    if (junit !== undefined) writing(junit, () => writeFileSync(junit, junitReport(results)));
  }
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  console.log(`${results.length - failed} held, ${failed} failed`);
  return failed === 0 ? Exit.Done : Exit.Refused;
}

/** Adds its result, also when the run cannot go on after it. */
async function runNext(scenario: Scenario, args: RunArguments, results: ScenarioResult[]): Promise<void> {
  try {
    const result = await runOne(scenario, args);
    results.push(result);
    say(result);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    results.push({ scenario, failure: `the run ended here: ${why}`, twinMs: 0, wallMs: 0 });
    throw twinStop(args.tpm, error);
  }
}

function say({ scenario, failure, twinMs, wallMs }: ScenarioResult): void {
  const times = `${(twinMs / 1000).toFixed(1)} s in ${(wallMs / 1000).toFixed(2)} s`;
  console.log(`${failure === undefined ? "held  " : "FAILED"} ${scenario.name} (${times})`);
  if (failure !== undefined) console.log(`       ${failure}`);
}

function writing(file: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new Stop(Exit.Usage, `${file} cannot be written: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, {
      cause,
    });
  }
}

/** One scenario in a twin of its own. */
export async function runOne(scenario: Scenario, args: RunArguments): Promise<ScenarioResult> {
  const pace = args.realTime ? realPace() : virtualPace();
  const source = sourceFor(args.seed);
  const tpm = await tpmForTwin(args.tpm, source, pace);
  try {
    const { api, profile, key } = scenario;
    const owner = ownerForTwin(source);
    const platform = platformOf(scenario.platform, scenario.file);
    const { calendar } = source;
    const random = (part: string) => source.random(part);
    const twin = new Twin({ api, pace, calendar, random, tpm, profile, key, platform, owner, ekRoot: tpm.ekRoot });
    try {
      return await runScenario(scenario, twin, () => realClock.now());
    } finally {
      await twin.close();
    }
  } finally {
    await tpm.close();
  }
}
