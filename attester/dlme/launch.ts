import type { TcgLog } from "../../shared/event-log/index.ts";
import type { TpmPlatform } from "../../shared/ports/index.ts";
import { ALL_PCRS, hashNameOf, type PcrBank } from "../../shared/tpm/index.ts";
import type { TpmClient } from "../tpm/index.ts";
import { describeDisagreement, disagreements } from "./agreement.ts";
import { type BootOutcome, NO_PLATFORM, powerCycle, runMeasuredBoot } from "./boot.ts";
import { bootLogs } from "./logs.ts";
import type { Measurement } from "./measurement.ts";

interface Measured {
  /** The firmware's and, behind a launch, the launch's. */
  readonly logs: readonly TcgLog[];
  /** All PCRs of all active banks whose hash is one of ours. */
  readonly banks: readonly PcrBank[];
}

export interface MeasuredBoot extends Measured {
  readonly ok: true;
}

/** Somebody else extended PCRs, or the TPM computes otherwise; or the steps were made for a launch that is not among them. */
interface Disagreed extends Measured {
  readonly ok: false;
  readonly reason: "disagreement";
  readonly detail: string;
}

export type MeasuredBootOutcome = MeasuredBoot | Disagreed | Exclude<BootOutcome, { readonly ok: true }>;

/**
 * Off and on again, the measurements into the TPM, and their logs; then looks whether TPM, log and replay agree in every bank. Rejects as
 * runMeasuredBoot; RangeError as bootLogs.
 */
export async function bootMeasured(
  client: TpmClient,
  platform: TpmPlatform | undefined,
  measurements: readonly Measurement[],
  power: "orderly" | "cut",
): Promise<MeasuredBootOutcome> {
  if (platform === undefined) return NO_PLATFORM;
  const active = (await client.activeBanks()).filter(({ hash }) => hashNameOf(hash) !== undefined);
  const logs = bootLogs(
    measurements,
    active.map(({ hash }) => hash),
  );
  await powerCycle(client, platform, power);
  const outcome = await runMeasuredBoot(client, platform, measurements);
  if (!outcome.ok) return outcome;
  const banks = await client.readPcrs(active.map(({ hash }) => ({ hash, pcrSelect: ALL_PCRS })));
  const [first] = disagreements(measurements, logs, banks);
  if (first !== undefined)
    return { ok: false, reason: "disagreement", detail: describeDisagreement(first), logs, banks };
  return { ok: true, logs, banks };
}
