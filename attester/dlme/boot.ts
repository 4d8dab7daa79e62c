import type { TpmPlatform } from "../../shared/ports/index.ts";
import { hashNameOf } from "../../shared/tpm/index.ts";
import { activeBanks, extendPcr, type TpmClient, type TpmRunner } from "../tpm/index.ts";
import { type Measurement, measurementDigest } from "./measurement.ts";

export type BootOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason: "no-platform";
      /** A sentence for people. */
      readonly detail: string;
    };

export const NO_PLATFORM: Exclude<BootOutcome, { readonly ok: true }> = {
  ok: false,
  reason: "no-platform",
  detail:
    "A dynamic launch needs the chipset's side of the TPM (locality 4); this TPM does not offer it: " +
    "use the emulator, or swtpm with its control channel (swtpm:HOST:PORT,ctrl=PORT)",
};

/**
 * Turns the machine off and on again: `orderly` with TPM2_Shutdown before, `cut` without. The TPM is started then, and its PCRs hold
 * what a reset leaves. Rejects with what the TPM client and the platform reject with.
 */
export async function powerCycle(client: TpmClient, platform: TpmPlatform, how: "orderly" | "cut"): Promise<void> {
  if (how === "orderly") await client.shutDown();
  await platform.power(how);
  await client.startUp({ platform, own: true });
}

/**
 * Puts the measurements into the TPM as firmware, CPU and boot chain do, in every active bank, as one turn. It has just been started.
 * Refuses a dynamic launch without a platform. The locality is 0 afterwards, also after a failure.
 */
export async function runMeasuredBoot(
  client: TpmClient,
  platform: TpmPlatform | undefined,
  measurements: readonly Measurement[],
): Promise<BootOutcome> {
  if (platform === undefined) {
    if (measurements.some(({ locality }) => locality !== 0)) return NO_PLATFORM;
    await client.turn((tpm) => extendAll(tpm, measurements));
    return { ok: true };
  }
  await client.turn(async (tpm) => {
    try {
      await extendAll(tpm, measurements, platform);
    } finally {
      await platform.setLocality(0);
    }
  });
  return { ok: true };
}

async function extendAll(tpm: TpmRunner, measurements: readonly Measurement[], platform?: TpmPlatform): Promise<void> {
  const banks = (await activeBanks(tpm)).filter(({ hash }) => hashNameOf(hash) !== undefined);
  let locality = 0;
  for (const measurement of measurements) {
    if (measurement.locality === 4) {
      await platform?.hashSequence(measurement.data);
      continue;
    }
    if (measurement.locality !== locality) await platform?.setLocality(measurement.locality);
    locality = measurement.locality;
    const digests = banks.map(({ hash }) => ({ hash, digest: measurementDigest(measurement, hash) }));
    await extendPcr(tpm, measurement.pcr, digests);
  }
}
