import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { Exit, type ExitCode, Stop } from "../../attester/cli/exit.ts";
import { realClock } from "../../hw/clock/real.ts";
import type { Attack } from "./attack.ts";
import { attacks } from "./families/index.ts";
import { HEAD, junitOf, listLine, resultLine, summary } from "./report.ts";
import { type AttackResult, runAttack } from "./runner.ts";

const EXAMPLES = `
Examples:
  npm run attacks
  npm run attacks -- --only CE FL-03
  npm run attacks -- --junit attacks.xml

docs/security.md says why each attack gets what it gets.
Exit codes: 0 each got what is expected, 1 one did not, 2 usage, 70 bug.`;

interface Arguments {
  readonly only: readonly string[];
  readonly list: boolean;
  readonly junit?: string;
}

export function attacksCommand(all: readonly Attack[] = attacks): Command {
  return new Command("npm run attacks --")
    .description("attack emulated tokens, each attack beside the honest way")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--only <id...>", "only attacks whose ids begin so", [])
    .option("--list", "show the attacks and end", false)
    .option("--junit <file>", "write the results as JUnit XML")
    .action(async (args: Arguments) => {
      process.exitCode = await run(args, all);
    });
}

async function run({ only, list, junit }: Arguments, all: readonly Attack[]): Promise<ExitCode> {
  const begins = (id: string, wanted: string) => id.startsWith(wanted.toUpperCase());
  const unknown = only.filter((wanted) => !all.some(({ id }) => begins(id, wanted)));
  if (unknown.length > 0) throw new Stop(Exit.Usage, `there is no attack ${unknown.join(", ")}; --list shows them`);
  const chosen = only.length === 0 ? all : all.filter(({ id }) => only.some((wanted) => begins(id, wanted)));
  if (list) {
    for (const attack of chosen) console.log(listLine(attack));
    console.log(`${chosen.length} attacks`);
    return Exit.Done;
  }
  if (junit !== undefined) write(junit, ""); // so that an impossible file is known now
  return runAll(chosen, junit);
}

async function runAll(chosen: readonly Attack[], junit: string | undefined): Promise<ExitCode> {
  const began = realClock.now();
  const results: AttackResult[] = [];
  console.log(HEAD);
  for (const attack of chosen) {
    const result = await runAttack(attack);
    results.push(result);
    console.log(resultLine(result));
  }
  console.log(summary(results, realClock.now() - began));
  if (junit !== undefined) write(junit, junitOf(results));
  return results.every(({ ok }) => ok) ? Exit.Done : Exit.Refused;
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new Stop(Exit.Usage, `${file} cannot be written: ${String(why)}`, { cause });
  }
}
