/** A log of one bank without its data: what a token keeps, and what comes with Evidence. */
import { describeEvent } from "./describe.ts";
import { digestIn, isMeasured, type LogEvent } from "./event.ts";
import type { LaunchStep } from "./launch-steps.ts";
import { startupLocality } from "./replay.ts";
import { stepOf } from "./step.ts";
import { cutText } from "./text.ts";

/** Of a description, in UTF-8. */
export const MAX_SUMMARY_TEXT_BYTES = 64;

export interface SummaryEvent {
  readonly pcr: number;
  readonly digest: Uint8Array;
  readonly step: LaunchStep;
  /** At most 64 bytes of UTF-8. */
  readonly description: string;
}

export interface LogSummary {
  /** TPM_ALG_ID of the bank. */
  readonly hash: number;
  /** The last byte of PCR 0 at the start, 0 to 4; 0 in almost all logs. */
  readonly startupLocality: number;
  readonly events: readonly SummaryEvent[];
}

/** The events of these logs, one log after the other, that the PCRs of the mask took in the bank `hash`. */
export function summarize(logs: readonly (readonly LogEvent[])[], hash: number, pcrMask: number): LogSummary {
  const all = logs.flat();
  const events = all.filter(isMeasured).flatMap((event): SummaryEvent[] => {
    const digest = ((pcrMask >>> event.pcr) & 1) === 1 ? digestIn(event, hash) : undefined;
    if (digest === undefined) return [];
    const description = cutText(describeEvent(event), MAX_SUMMARY_TEXT_BYTES);
    return [{ pcr: event.pcr, digest, step: stepOf(event), description }];
  });
  return { hash, startupLocality: (pcrMask & 1) === 1 ? startupLocality(all) : 0, events };
}
