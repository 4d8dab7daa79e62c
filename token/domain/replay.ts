import { equal } from "../../shared/bytes/index.ts";
import type { LogSummary } from "../../shared/event-log/index.ts";
import type { PolicyBank } from "../../shared/protocol/index.ts";
import { type PcrBank, pcrNumbers, pcrOnes, pcrValue, pcrZero, replay } from "../../shared/tpm/index.ts";

/** Logs against what a TPM vouches for: values of PCRs. */

/** The PCRs that a dynamic launch sets to zero; without one they are all ones after a reset (PC Client PTP, 4.6.2). */
export function isLaunchPcr(pcr: number): boolean {
  return pcr >= 17 && pcr <= 22;
}

/** What the PCRs of the mask hold when the TPM took this log and nothing else. */
function replayed({ hash, startupLocality, events }: LogSummary, mask: number, launched: boolean): PcrBank {
  const values = pcrNumbers(mask).map((pcr) => {
    const digests = events.flatMap((event) => (event.pcr === pcr ? [event.digest] : []));
    if (isLaunchPcr(pcr)) return replay(hash, digests, launched ? pcrZero(hash) : pcrOnes(hash));
    const start = pcrZero(hash);
    if (pcr === 0) start[start.byteLength - 1] = startupLocality;
    return replay(hash, digests, start);
  });
  return { hash, pcrSelect: mask, values };
}

/** A log that explains values of PCRs, and how. */
export interface Replay {
  readonly log: LogSummary;
  readonly values: PcrBank;
  /** Whether PCR 17 to 22 begin with zero, as a dynamic launch leaves them. */
  readonly launched: boolean;
}

/**
 * How a log explains the policy's PCRs; undefined when it does not. Hashes have no collisions, so there is one way at most in which each
 * PCR came to its value: digests, their order within the PCR, and the start are what the TPM saw. The order of events of different
 * PCRs, and all words, are what the log's author says. Logs are of one bank: a policy of several is explained by none.
 */
export function explainingReplay(
  log: LogSummary,
  policy: readonly PolicyBank[],
  isRight: (values: PcrBank) => boolean,
): Replay | undefined {
  const [bank, ...others] = policy;
  if (bank === undefined || others.length > 0 || bank.algorithm !== log.hash) return undefined;
  const own = { ...log, events: log.events.filter(({ pcr }) => ((bank.mask >>> pcr) & 1) === 1) };
  for (const launched of [true, false]) {
    const values = replayed(own, bank.mask, launched);
    if (isRight(values)) return { log: own, values, launched };
  }
  return undefined;
}

/** Whether a log that explains these values shows that there was no dynamic launch: PCR 17 to 22 were extended from all ones. */
export function deniesLaunch(reference: readonly PcrBank[], log: LogSummary, policy: readonly PolicyBank[]): boolean {
  return replayTo(reference, log, policy)?.launched === false;
}

/** The same against values that are known. */
export function replayTo(
  reference: readonly PcrBank[],
  log: LogSummary,
  policy: readonly PolicyBank[],
): Replay | undefined {
  return explainingReplay(log, policy, ({ hash, pcrSelect, values }) => {
    const bank = reference.find((candidate) => candidate.hash === hash);
    return pcrNumbers(pcrSelect).every((pcr, i) => {
      const [expected, got] = [bank === undefined ? undefined : pcrValue(bank, pcr), values[i]];
      return expected !== undefined && got !== undefined && equal(expected, got);
    });
  });
}
