import { fromHex, toHex } from "../bytes/index.ts";
import { cbor, type InferCbor } from "../cbor/index.ts";
import { LAUNCH_STEPS, type LaunchStep } from "../event-log/launch-steps.ts";
import { plainText } from "../event-log/text.ts";
import { Limit } from "./limits.ts";

/** Why evidence is red although all of it but the PCRs is in order, in one word. docs/verdicts.md has their sentences. */
export const MISMATCH_REASONS = [
  "pcr-mismatch",
  "no-dynamic-launch",
  "loader-changed",
  "bootloader-data-changed",
  "kernel-changed",
  "boot-parameters-changed",
  "command-line-changed",
  "initrd-changed",
  "firmware-changed",
] as const;
export type MismatchReason = (typeof MISMATCH_REASONS)[number];

/** Why evidence is red, in one word: what is wrong before the PCRs are looked at, then those. */
export const EVIDENCE_REASONS = [
  "aik-unrestricted",
  "evidence-malformed",
  "evidence-signature",
  "not-a-quote",
  "nonce-mismatch",
  "tpm-clock-unsafe",
  "pcr-selection",
  ...MISMATCH_REASONS,
] as const;
export type EvidenceReason = (typeof EVIDENCE_REASONS)[number];

const DIFFERENCE_KINDS = ["changed", "added", "missing", "moved"] as const;

/**
 * The first event that is not as enrolled. Everything but `claim` rests on what the TPM quoted and on the log that was enrolled;
 * digests in lower-case hex.
 */
export interface LogDifference {
  /** moved: the PCR holds the enrolled event elsewhere. added: the PCR holds an event more, before the enrolled one of this place. */
  readonly kind: (typeof DIFFERENCE_KINDS)[number];
  readonly pcr: number;
  /** Its place among the events of this PCR, from 0: the first that is not as enrolled. */
  readonly index: number;
  /** What was enrolled at this place; of an added event, which enrolled event of this PCR has its digest. */
  readonly step?: LaunchStep;
  /** The enrolled log's words. */
  readonly description?: string;
  /** Of an added event only: what the computer calls it. Nobody vouches for it. */
  readonly claim?: string;
  readonly expected?: string;
  readonly got?: string;
}

const digest = cbor.bytes({ min: 1, max: Limit.PCR_BYTES });
const text = cbor.text({ max: Limit.LOG_TEXT_BYTES });

const DifferenceMessage = cbor.map({
  kind: cbor.word(DIFFERENCE_KINDS),
  pcr: cbor.uint(Limit.PCRS - 1),
  index: cbor.uint(Limit.LOG_EVENTS),
  step: cbor.optional(cbor.word(LAUNCH_STEPS)),
  description: cbor.optional(text),
  claim: cbor.optional(text),
  expected: cbor.optional(digest),
  got: cbor.optional(digest),
});

/** What POST /attest/{id}/explain answers. Extension 2; the difference is of extension 4. */
export const Explanation = cbor.map({
  /** Those that differ; none when something else is wrong. */
  pcrs: cbor.array(cbor.uint(Limit.PCRS - 1), Limit.PCRS),
  reason: cbor.optional(cbor.word(EVIDENCE_REASONS)),
  /** Where logs explain the quote. */
  difference: cbor.optional(DifferenceMessage),
});

export function differenceOf({ expected, got, ...rest }: InferCbor<typeof DifferenceMessage>): LogDifference {
  return {
    ...rest,
    ...(expected !== undefined && { expected: toHex(expected) }),
    ...(got !== undefined && { got: toHex(got) }),
  };
}

/** As it travels. RangeError for digests that are no hex. */
export function differenceMessage({ expected, got, ...rest }: LogDifference): InferCbor<typeof DifferenceMessage> {
  return {
    ...rest,
    ...(expected !== undefined && { expected: digestOf(expected) }),
    ...(got !== undefined && { got: digestOf(got) }),
  };
}

function digestOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new RangeError("a digest is hexadecimal");
  return bytes;
}

/** For people: where the difference is, and what it is. What the computer alone says is said to be its word. */
export function sayDifference({ kind, pcr, index, description, claim }: LogDifference): string {
  const words = description === undefined || description === "" ? undefined : quoted(description);
  if (kind !== "added") {
    return `event ${index + 1} of PCR ${pcr}${words === undefined ? "" : `, ${words},`} ${KIND_WORDS[kind]}`;
  }
  const again = words === undefined ? "" : `, ${words} again`;
  const called = claim === undefined || claim === "" ? "" : `; the computer calls it ${quoted(claim)}`;
  return `event ${index + 1} of PCR ${pcr} is one more than recorded${again}${called}`;
}

/** Whoever wrote it: what stands between the marks, and no more of the sentence, is its author's. */
function quoted(text: string): string {
  return `"${plainText(text).replaceAll('"', "'")}"`;
}

const KIND_WORDS = { changed: "is another", missing: "is missing", moved: "stands elsewhere" } as const;
