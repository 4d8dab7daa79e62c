import { Command, Option } from "commander";
import { realCalendar, realClock } from "../../../hw/clock/real.ts";
import { FileError } from "../../../hw/files/index.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { type Manufactured, manufactureTpm } from "../../../hw/tpm/manufacture.ts";
import { openTpm } from "../../../hw/tpm/open.ts";
import { parseTpmSpec, TPM_SPEC_FORMS } from "../../../hw/tpm/spec.ts";
import { makeVendorFolder, writeVendorFiles } from "../../../hw/tpm/vendor-files.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { createTpmClient } from "../../tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { stopFor } from "../stops.ts";

interface ManufactureArguments {
  readonly tpm: string;
  readonly out: string;
  readonly force: boolean;
}

const EXAMPLES = `
Examples:
  fobnail tpm manufacture --tpm emulator:tpm --out vendor
  fobnail tpm manufacture --tpm swtpm:127.0.0.1:2401,ctrl=2402 --out vendor --force

Exit codes: 0 done, 1 refused, 2 usage, 3 TPM not reached, 70 bug.`;

/** `fobnail tpm manufacture`. */
export function manufactureCommand(): Command {
  return new Command("manufacture")
    .description("make a vendor's CA and install EK certificates in a software TPM")
    .addOption(new Option("--tpm <tpm>", TPM_SPEC_FORMS).makeOptionMandatory())
    .requiredOption("--out <dir>", "where the vendor's root and intermediate certificates go (PEM)")
    .option("--force", "replace certificates that are there, in the TPM and in the folder", false)
    .addHelpText("after", EXAMPLES)
    .action(manufactureFor);
}

/** A sentence when manufacturing that TPM makes no sense. */
function unsuitable(tpm: string): string | undefined {
  const spec = parseTpmSpec(tpm);
  if (spec.kind === "device")
    return "A TPM chip has its certificates from its vendor; only the emulator and swtpm are manufactured here.";
  if (spec.kind === "emulator" && spec.directory === undefined) {
    return "An emulator without a directory forgets everything at the end of this command; name one: --tpm emulator:DIR";
  }
  return undefined;
}

async function manufactureFor({ tpm: spec, out, force }: ManufactureArguments): Promise<void> {
  const problem = unsuitable(spec);
  if (problem !== undefined) throw new Stop(Exit.Usage, problem);
  const [taken] = makeVendorFolder(out);
  if (taken !== undefined && !force) throw new Stop(Exit.Refused, `${taken} is there already. --force replaces it.`);
  try {
    await manufactureAt(spec, out, force);
  } catch (error) {
    throw stopFor(error);
  }
}

async function manufactureAt(spec: string, out: string, force: boolean): Promise<void> {
  const opened = await openTpm(spec, { random: systemRandom, clock: realClock, log });
  try {
    const client = createTpmClient(opened.transport, { random: systemRandom, clock: realClock, log });
    await client.startUp({ platform: opened.platform, own: opened.own });
    const made = await client.turn((runner) =>
      manufactureTpm(runner, { random: systemRandom, today: realCalendar.today(), force }),
    );
    await client.shutDown();
    if (!made.ok) {
      const way = made.reason === "already-manufactured" ? " --force replaces them." : "";
      throw new Stop(Exit.Refused, made.detail + way);
    }
    const files = written(out, made);
    console.log(`${opened.describe}: EK certificates installed (RSA 2048 and P-256).`);
    console.log(`Vendor root:  ${files.root}   (give it to the token: --ek-root)`);
    console.log(`Intermediate: ${files.intermediate}`);
  } finally {
    await opened.close();
  }
}

/** The TPM has its certificates by now; who cannot have their root is told what to do. */
function written(out: string, made: Manufactured): ReturnType<typeof writeVendorFiles> {
  try {
    return writeVendorFiles(out, made);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const lost = "The TPM has certificates whose root is lost; --force makes new ones.";
    throw new FileError(`${error.message}. ${lost}`, { cause: error });
  }
}

const log: Log = {
  write(level, message) {
    if (level === "warn" || level === "error") console.error(message);
  },
};
