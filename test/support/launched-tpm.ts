import { measurementsOf, runMeasuredBoot, sampleLaunch } from "../../attester/dlme/index.ts";
import { createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import type { Log, TpmPlatform } from "../../shared/ports/index.ts";
import type { Issuer } from "../../shared/x509/index.ts";
import { seededRandom } from "./random.ts";

const SILENT: Log = { write: () => undefined };
const TODAY = Date.UTC(2026, 0, 1);

export interface LaunchedTpm {
  readonly client: TpmClient;
  readonly platform: TpmPlatform;
  /** What the TPM's own clock runs by. */
  readonly clock: VirtualClock;
}

/** An emulated TPM that `vendor` vouches for, in a computer that booted with the sample's dynamic launch. `label` decides its seeds. */
export async function launchTpm(label: string, vendor: Issuer): Promise<LaunchedTpm> {
  const random = seededRandom(1, label);
  const clock = new VirtualClock();
  const { transport, platform } = createTpmEmulator({ random, clock });
  const client = createTpmClient(transport, { random, log: SILENT, clock });
  await client.startUp({ platform, own: true });
  const ca = { root: vendor.certificate, issuer: vendor };
  const made = await client.turn((runner) => manufactureTpm(runner, { random, today: TODAY, ca }));
  if (!made.ok) throw new Error(made.detail);
  await launch({ client, platform });
  return { client, platform, clock };
}

/** The measurements of the sample's launch into PCRs that a reset left. */
export async function launch({ client, platform }: Pick<LaunchedTpm, "client" | "platform">): Promise<void> {
  const booted = await runMeasuredBoot(client, platform, measurementsOf({ firmware: [], launch: sampleLaunch() }));
  if (!booted.ok) throw new Error(booted.detail);
}
