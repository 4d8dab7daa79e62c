import { Command, InvalidArgumentError, Option } from "commander";
import { TPM_SPEC_FORMS } from "../../../hw/tpm/spec.ts";
import { Exit, Stop } from "../exit.ts";
import { realPace, virtualPace } from "../twin/pace.ts";
import { checkTwinTpm, sourceFor, twinStop } from "../twin/setup.ts";
import { jsonStage, textStage } from "./stage.ts";
import { playDemo } from "./story.ts";

const EXAMPLES = `
Examples:
  fobnail demo                     both generations of the API in real time, less than a minute
  fobnail demo --fast              the same in virtual time, a few seconds
  fobnail demo --api v1            the disk key, the tampered boot and the thief only
  fobnail demo --fast --seed 1     the same bytes at every run
  fobnail demo --tpm swtpm:127.0.0.1:2401,ctrl=2402

Exit codes: 0 every verdict was the expected one, 1 one was not, 2 usage, 3 TPM not reached, 70 bug.`;

interface DemoArguments {
  readonly tpm?: string;
  readonly seed?: number;
  readonly json: boolean;
  readonly fast: boolean;
  readonly api?: "v0" | "v1";
}

function seedNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("A whole number belongs here.");
  return Number(text);
}

/** `fobnail demo`. */
export function demoCommand(name = "fobnail demo"): Command {
  return new Command(name)
    .description("token, attester, owner and TPM in one process: the walk-through, told act by act")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .option("--tpm <tpm>", `emulator by default; ${TPM_SPEC_FORMS}`)
    .option("--seed <n>", "everything from this seed: repeatable, and insecure; emulator in memory only", seedNumber)
    .option("--json", "one JSON object a line", false)
    .option("--fast", "virtual time", false)
    .addOption(new Option("--api <version>", "the story of one API only").choices(["v0", "v1"]))
    .action(async (args: DemoArguments) => {
      process.exitCode = await demo(args);
    });
}

async function demo({ tpm, seed, json, fast, api }: DemoArguments): Promise<number> {
  if (seed !== undefined && tpm !== undefined && tpm !== "emulator") {
    throw new Stop(Exit.Usage, "--seed repeats a run only with the emulator in memory: leave out --tpm");
  }
  checkTwinTpm(tpm); // before the story begins
  const colors = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
  const stage = json ? jsonStage(process.stdout) : textStage(process.stdout, colors);
  const pace = fast ? virtualPace() : realPace();
  try {
    const held = await playDemo({ pace, source: sourceFor(seed), seeded: seed !== undefined, tpm, stage, api });
    return held ? Exit.Done : Exit.Refused;
  } catch (error) {
    throw twinStop(tpm, error);
  }
}
