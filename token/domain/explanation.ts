import { constantTimeEqual } from "../../shared/bytes/index.ts";
import type { LaunchStep, LogSummary } from "../../shared/event-log/index.ts";
import {
  type LogDifference,
  type MismatchReason,
  type PolicyBank,
  sayDifference,
} from "../../shared/protocol/index.ts";
import { type PcrBank, pcrDigest, pcrNumbers, pcrValue, TpmAlg } from "../../shared/tpm/index.ts";
import { type FoundDifference, firstDifference } from "./difference.ts";
import { explainingReplay, isLaunchPcr, type Replay, replayTo } from "./replay.ts";

/** Why the quoted digest is not the recorded one: as far as the TPM vouches for it, and no further. Never why it should be taken. */

export interface ExplanationContext {
  readonly policy: readonly PolicyBank[];
  /** Reference values. */
  readonly reference: readonly PcrBank[];
  /** The log that was enrolled with them, unpacked where it is looked at: greens need none. */
  readonly enrolledLog?: (() => LogSummary | undefined) | undefined;
}

export interface Mismatch {
  readonly reason: MismatchReason;
  readonly detail?: string | undefined;
  readonly pcrs?: readonly number[] | undefined;
  readonly difference?: LogDifference | undefined;
}

/** SHA-256 over the PCRs in the order of the policy, lowest PCR first; undefined when one is missing. */
export function policyDigest(banks: readonly PcrBank[], policy: readonly PolicyBank[]): Uint8Array | undefined {
  const selection = policy.map(({ algorithm, mask }) => ({ hash: algorithm, pcrSelect: mask }));
  return pcrDigest(TpmAlg.SHA256, selection, banks);
}

function explains(banks: readonly PcrBank[], policy: readonly PolicyBank[], quotedDigest: Uint8Array): boolean {
  const digest = policyDigest(banks, policy);
  return digest !== undefined && constantTimeEqual(digest, quotedDigest);
}

/** What the digest alone tells, and the log that came with it. A log that does not replay to the digest tells nothing. */
export function explainDigest(
  quotedDigest: Uint8Array,
  reportedLog: LogSummary | undefined,
  context: ExplanationContext,
): Mismatch {
  const { policy } = context;
  const replay =
    reportedLog && explainingReplay(reportedLog, policy, (values) => explains([values], policy, quotedDigest));
  if (replay !== undefined) return explainByLog(replay, context);
  const alone = explainAlone(quotedDigest, context);
  if (reportedLog === undefined) return alone;
  return { ...alone, detail: [LOG_LIES, alone.detail].filter((part) => part !== undefined).join("; ") };
}

const LOG_LIES = "the log does not match the TPM";

/** The same values but for a launch that did not happen are found without any help. The other banks may be of hashes that nobody knows here. */
function explainAlone(quotedDigest: Uint8Array, { policy, reference }: ExplanationContext): Mismatch {
  const unlaunched = reference.map((bank) => ({
    ...bank,
    values: pcrNumbers(bank.pcrSelect).map((pcr, i) => {
      const value = bank.values[i] ?? new Uint8Array();
      return isLaunchPcr(pcr) ? value.slice().fill(0xff) : value;
    }),
  }));
  if (!explains(unlaunched, policy, quotedDigest)) return { reason: "pcr-mismatch" };
  const pcrs = differingPcrs(reference, unlaunched, policy);
  return { reason: "no-dynamic-launch", pcrs, detail: sayPcrs(pcrs) };
}

/** The peer's values; undefined when they do not hash to the quoted digest. */
export function explainByValues(
  quotedDigest: Uint8Array,
  reported: readonly PcrBank[],
  { policy, reference }: ExplanationContext,
): Mismatch | undefined {
  if (!explains(reported, policy, quotedDigest)) return undefined;
  const pcrs = differingPcrs(reference, reported, policy);
  const unlaunched = policy.some(({ algorithm }) => {
    const bank = reported.find(({ hash }) => hash === algorithm);
    return pcrs.some((pcr) => isLaunchPcr(pcr) && bank !== undefined && isAllOnes(pcrValue(bank, pcr)));
  });
  return { reason: unlaunched ? "no-dynamic-launch" : "pcr-mismatch", pcrs, detail: sayPcrs(pcrs) };
}

function explainByLog(reported: Replay, { policy, reference, enrolledLog }: ExplanationContext): Mismatch {
  const pcrs = differingPcrs(reference, [reported.values], policy);
  const kept = enrolledLog?.();
  const enrolled = kept && replayTo(reference, kept, policy);
  const gone = enrolled === undefined ? !reported.launched && pcrs.some(isLaunchPcr) : launchIsGone(enrolled, reported);
  const found = enrolled && firstDifference(enrolled.log, reported.log, gone ? isLaunchPcr : undefined);
  const reason = gone ? "no-dynamic-launch" : found === undefined ? "pcr-mismatch" : reasonOf(found);
  if (found === undefined) return { reason, pcrs, detail: sayPcrs(pcrs) };
  const { difference } = found;
  return { reason, pcrs, difference, detail: `${sayDifference(difference)}; ${sayPcrs(pcrs)}` };
}

/** There was a launch, and now there is none, or none that measured anything. */
function launchIsGone(enrolled: Replay, reported: Replay): boolean {
  const measured = ({ log }: Replay) => log.events.some(({ pcr }) => pcr === FIRST_LAUNCH_PCR);
  return enrolled.launched && (!reported.launched || (measured(enrolled) && !measured(reported)));
}

const FIRST_LAUNCH_PCR = 17;
const LAST_FIRMWARE_PCR = 7;

const STEP_REASONS: Readonly<Partial<Record<LaunchStep, MismatchReason>>> = {
  loader: "loader-changed",
  "bootloader-data": "bootloader-data-changed",
  kernel: "kernel-changed",
  "boot-parameters": "boot-parameters-changed",
  "command-line": "command-line-changed",
  initrd: "initrd-changed",
};

/** An added event is nobody's step, whatever it is called; within PCR 0 to 7 it was the firmware's, unless it came behind all of its events. */
function reasonOf({ difference: { kind, pcr, step }, appended }: FoundDifference): MismatchReason {
  const named = kind === "added" || step === undefined ? undefined : STEP_REASONS[step];
  return named ?? (pcr <= LAST_FIRMWARE_PCR && !appended ? "firmware-changed" : "pcr-mismatch");
}

function isAllOnes(value: Uint8Array | undefined): boolean {
  return value?.every((byte) => byte === 0xff) ?? false;
}

/** The PCRs of the policy in which the values differ, lowest first. */
function differingPcrs(
  reference: readonly PcrBank[],
  reported: readonly PcrBank[],
  policy: readonly PolicyBank[],
): readonly number[] {
  const differing = policy.flatMap(({ algorithm, mask }) => {
    const [was, is] = [reference, reported].map((banks) => banks.find(({ hash }) => hash === algorithm));
    return pcrNumbers(mask).filter((pcr) => !sameValue(was, is, pcr));
  });
  return [...new Set(differing)].sort((a, b) => a - b);
}

function sameValue(was: PcrBank | undefined, is: PcrBank | undefined, pcr: number): boolean {
  const [a, b] = [was, is].map((bank) => (bank === undefined ? undefined : pcrValue(bank, pcr)));
  return a !== undefined && b !== undefined && constantTimeEqual(a, b);
}

function sayPcrs(pcrs: readonly number[]): string {
  return `PCR ${pcrs.join(", ")} ${pcrs.length === 1 ? "differs" : "differ"}`;
}
