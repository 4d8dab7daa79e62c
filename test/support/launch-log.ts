/** Event logs as summaries, made of words: what a boot measures, and what its PCRs hold afterwards. */
import { utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { LaunchStep, LogSummary, SummaryEvent } from "../../shared/event-log/index.ts";
import { pcrOnes, pcrZero, replay, TpmAlg } from "../../shared/tpm/index.ts";

/** `content` decides the digest. */
export function measured(pcr: number, step: LaunchStep, content: string = step): SummaryEvent {
  return { pcr, step, digest: digest("sha256", utf8(content)), description: `${step} into PCR${pcr}` };
}

export function logOf(...events: readonly SummaryEvent[]): LogSummary {
  return { hash: TpmAlg.SHA256, startupLocality: 0, events };
}

export const FIRMWARE: readonly SummaryEvent[] = [
  measured(0, "firmware"),
  measured(1, "firmware-settings", "boot order"),
  measured(2, "firmware", "option ROM"),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => measured(pcr, "separator")),
  measured(4, "boot-loader"),
];

/** In the order of the measured launch of AMD SKINIT: loader and kernel stub measure into both PCRs in turn. */
export const LAUNCH: readonly SummaryEvent[] = [
  measured(17, "loader"),
  measured(18, "bootloader-data"),
  measured(17, "kernel"),
  measured(18, "boot-parameters"),
  measured(18, "command-line"),
  measured(17, "initrd"),
];

export const RECORDED: LogSummary = logOf(...FIRMWARE, ...LAUNCH);

/** All 24 SHA-256 PCRs of a TPM that took this log; without a launch PCR 17 to 22 begin with all ones. */
export function pcrsAfter({ hash, startupLocality, events }: LogSummary, launched = true): Uint8Array[] {
  return Array.from({ length: 24 }, (_, pcr) => {
    const start = pcr >= 17 && pcr <= 22 && !launched ? pcrOnes(hash) : pcrZero(hash);
    if (pcr === 0) start[start.byteLength - 1] = startupLocality;
    return replay(
      hash,
      events.flatMap((event) => (event.pcr === pcr ? [event.digest] : [])),
      start,
    );
  });
}
