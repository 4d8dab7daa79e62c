import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { type OpenTpm, openTpm } from "../../hw/tpm/open.ts";
import type { EventLogs, Log } from "../../shared/ports/index.ts";
import { bootMeasured, measurementsOf, memoryEventLogs, sampleLaunch } from "../dlme/index.ts";
import { createTpmClient, type TpmClient } from "../tpm/index.ts";
import { Exit, Stop } from "./exit.ts";
import type { OwnPlatform } from "./own-platform.ts";

/**
 * Opens and starts the TPM that --tpm names; a TPM of this program's own gets TPM2_Shutdown at the end. When `cut` is aborted the TPM is
 * closed under whoever uses it, which a command that waits for its answer learns as TpmUnreachable.
 */
export async function withTpm<T>(
  spec: string | undefined,
  log: Log,
  use: (client: TpmClient, tpm: OpenTpm) => Promise<T>,
  cut?: AbortSignal,
): Promise<T> {
  const tpm = await openTpm(spec, { random: systemRandom, clock: realClock, log });
  const close = () => void tpm.close().catch(() => undefined); // it is closed once more at the end, where its error is told
  cut?.addEventListener("abort", close);
  try {
    cut?.throwIfAborted();
    log.write("debug", `Using the ${tpm.describe}`);
    const client = createTpmClient(tpm.transport, { random: systemRandom, clock: realClock, log });
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    try {
      return await use(client, tpm);
    } finally {
      if (tpm.own) await shutDownQuietly(client, log);
    }
  } finally {
    cut?.removeEventListener("abort", close);
    await tpm.close();
  }
}

/** Where another error may be under way, or the TPM went away: what goes wrong is said, not thrown. */
async function shutDownQuietly(client: TpmClient, log: Log): Promise<void> {
  try {
    await client.shutDown();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.write(
      "warn",
      `The TPM did not get TPM2_Shutdown, so its next quotes will say that its clock is not safe: ${why}`,
    );
  }
}

/** Off and on again, and a launch of the sample files: so that PCR 17 and 18 of a software TPM hold one. Its logs. */
export async function simulateLaunch(
  client: TpmClient,
  tpm: OpenTpm,
  { firmware = [] }: OwnPlatform,
  log: Log,
): Promise<EventLogs> {
  if (tpm.platform === undefined) {
    throw new Stop(
      Exit.Usage,
      `--launch needs a TPM whose chipset is simulated too, which the ${tpm.describe} is not: ` +
        "use emulator:DIR or swtpm:...,ctrl=...",
    );
  }
  const measurements = measurementsOf({ firmware, launch: sampleLaunch() });
  const outcome = await bootMeasured(client, tpm.platform, measurements, "orderly");
  if (!outcome.ok) throw new Stop(Exit.Refused, outcome.detail);
  log.write("info", "Simulated a dynamic launch of the sample loader, kernel and initrd.");
  return memoryEventLogs(() => outcome.logs);
}
