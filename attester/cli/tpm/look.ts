import { Command, Option } from "commander";
import { realClock } from "../../../hw/clock/real.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import { type OpenTpm, openTpm } from "../../../hw/tpm/open.ts";
import { TPM_SPEC_FORMS } from "../../../hw/tpm/spec.ts";
import { TpmError, TpmRc } from "../../../shared/tpm/index.ts";
import { createTpmClient, type TpmClient } from "../../tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { stopFor } from "../stops.ts";

export const quietLog = { write: () => undefined };

export function tpmOption(): Option {
  return new Option("--tpm <tpm>", `${TPM_SPEC_FORMS} (default: /dev/tpmrm0)`);
}

export function lookCommand(name: string, about: string): Command {
  return new Command(name).description(about).addOption(tpmOption()).option("--json", "one JSON object", false);
}

/**
 * Opens a TPM to look into it. One that serves others too is left as it is: nothing in it is flushed. An emulator's state directory is this
 * program's alone, so it is shut down in order.
 */
export async function withTpm<T>(
  spec: string | undefined,
  use: (client: TpmClient, tpm: OpenTpm) => Promise<T>,
): Promise<T> {
  try {
    return await opened(spec, use);
  } catch (error) {
    throw stopFor(error);
  }
}

async function opened<T>(spec: string | undefined, use: (client: TpmClient, tpm: OpenTpm) => Promise<T>): Promise<T> {
  const tpm = await openTpm(spec, { random: systemRandom, clock: realClock, log: createTextLog({ level: "error" }) });
  const ours = spec?.startsWith("emulator") ?? false;
  try {
    const client = createTpmClient(tpm.transport, { random: systemRandom, clock: realClock, log: quietLog });
    await client.startUp({ platform: tpm.platform, own: ours }).catch((error: unknown) => {
      if (!(error instanceof TpmError && error.rc === TpmRc.FAILURE)) throw error;
      throw new Stop(
        Exit.Unreached,
        `the ${tpm.describe} has no power, or failed; with a control channel (ctrl=...) it is given`,
        { cause: error },
      );
    });
    try {
      return await use(client, tpm);
    } finally {
      if (ours) await client.shutDown();
    }
  } finally {
    await tpm.close();
  }
}
