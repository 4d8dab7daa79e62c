import { Command, Option } from "commander";
import { realCalendar, realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { openTpm } from "../../hw/tpm/open.ts";
import { parseTpmSpec, TPM_SPEC_FORMS, TpmSpecError } from "../../hw/tpm/spec.ts";
import { writeVendorFiles } from "../../hw/tpm/vendor-files.ts";
import type { Log } from "../../shared/ports/index.ts";
import { TpmUnreachable } from "../../shared/tpm/index.ts";
import { createTpmClient } from "../tpm/index.ts";

/** `fobnail tpm`: the software TPMs that this machine can have. */

/** Exit codes of all programs. */
const Exit = { DONE: 0, REFUSED: 1, USAGE: 2, UNREACHED: 3, BUG: 70 } as const;

interface ManufactureArguments {
  readonly tpm: string;
  readonly out: string;
  readonly force?: boolean;
}

/** Sets process.exitCode; never rejects. */
export function tpmCommand(): Command {
  const manufacture = new Command("manufacture")
    .description("make a vendor's CA and install EK certificates in a software TPM")
    .addOption(new Option("--tpm <tpm>", TPM_SPEC_FORMS).makeOptionMandatory())
    .requiredOption("--out <dir>", "where the vendor's root and intermediate certificates go (PEM)")
    .option("--force", "replace certificates that are there")
    .action(async (options: ManufactureArguments) => {
      process.exitCode = await runManufacture(options);
    });
  return new Command("tpm").description("software TPMs").addCommand(manufacture);
}

/** The exit code. */
export async function runManufacture(options: ManufactureArguments): Promise<number> {
  try {
    const problem = unsuitable(options.tpm);
    if (problem === undefined) return await manufacture(options);
    console.error(problem);
    return Exit.USAGE;
  } catch (error) {
    if (error instanceof TpmSpecError) {
      console.error(error.message);
      return Exit.USAGE;
    }
    if (error instanceof TpmUnreachable) {
      console.error(error.message);
      return Exit.UNREACHED;
    }
    console.error(error);
    return Exit.BUG;
  }
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

async function manufacture({ tpm: spec, out, force }: ManufactureArguments): Promise<number> {
  const opened = await openTpm(spec, { random: systemRandom, clock: realClock });
  try {
    const client = createTpmClient(opened.transport, { random: systemRandom, clock: realClock, log });
    await client.startUp({ platform: opened.platform, own: opened.own });
    const made = await client.turn((runner) =>
      manufactureTpm(runner, { random: systemRandom, today: realCalendar.today(), force: force === true }),
    );
    await client.shutDown();
    if (!made.ok) {
      console.error(made.reason === "already-manufactured" ? `${made.detail} --force replaces them.` : made.detail);
      return Exit.REFUSED;
    }
    const files = writeVendorFiles(out, made);
    console.log(`${opened.describe}: EK certificates installed (RSA 2048 and P-256).`);
    console.log(`Vendor root:  ${files.root}   (give it to the token: --ek-root)`);
    console.log(`Intermediate: ${files.intermediate}`);
    return Exit.DONE;
  } finally {
    await opened.close();
  }
}

const log: Log = {
  write(level, message) {
    if (level === "warn" || level === "error") console.error(message);
  },
};
