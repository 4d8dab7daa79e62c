import { CodecError, constantTimeEqual, decode, rest, struct, u16be, u32be } from "../../shared/bytes/index.ts";
import type { EcPublicKey, RsaPublicKey } from "../../shared/crypto/index.ts";
import type { LogSummary } from "../../shared/event-log/index.ts";
import { type Evidence, type EvidenceReason, type PolicyBank, verifySignature } from "../../shared/protocol/index.ts";
import { TPM_GENERATED_VALUE, TpmSt, TpmsAttest, type TpmsAttestQuote } from "../../shared/tpm/index.ts";
import { type ExplanationContext, explainDigest, type Mismatch } from "./explanation.ts";
import { accept, type Outcome, refuse } from "./reasons.ts";

/** What all evidence of a platform is appraised against. */
export interface AppraisalContext extends ExplanationContext {
  readonly key: RsaPublicKey | EcPublicKey;
  /** The policyDigest of the reference values; undefined when they lack a PCR of the policy: then nothing is right. */
  readonly expected: Uint8Array | undefined;
}

/** What belongs to one attestation. */
export interface Asked {
  readonly nonce: Uint8Array;
  /** What the peer says was measured. It is looked at after the verdict, to explain it. */
  readonly reportedLog?: LogSummary | undefined;
}

/** Where the PCRs alone are wrong: what is known of that, and the quoted digest, so that more can be. */
export interface Unexpected {
  readonly quotedDigest: Uint8Array;
  readonly mismatch: Mismatch;
}

/** Which start of its TPM a quote is of. A TPM hides the counts by adding what depends on the key (Part 1, 36.7): equal ones of one AIK stay equal. */
export type TpmStart = Pick<TpmsAttestQuote["clockInfo"], "resetCount" | "restartCount">;

export type Appraisal = Outcome<undefined, EvidenceReason> & {
  readonly unexpected?: Unexpected;
  /** Where signature and nonce are right, whatever the verdict. */
  readonly start?: TpmStart;
};

/** Appraises evidence (RFC 9334, section 8.1) in six steps; the first that fails is the reason. Of the last one there may be more to say: which PCRs, which event. */
export function appraiseEvidence(evidence: Evidence, asked: Asked, context: AppraisalContext): Appraisal {
  if (!verifySignature(context.key, evidence.data, evidence.signature)) return refuse("evidence-signature");
  const quote = decodeQuote(evidence.data);
  if (!quote.ok) return quote;
  const { extraData, clockInfo } = quote.value;
  if (!constantTimeEqual(extraData, asked.nonce)) return refuse("nonce-mismatch");
  return { ...appraiseFresh(quote.value, asked, context), start: clockInfo };
}

/** What the TPM said just now: the last three steps. */
function appraiseFresh({ clockInfo, attested }: TpmsAttestQuote, asked: Asked, context: AppraisalContext): Appraisal {
  if (!clockInfo.safe) return refuse("tpm-clock-unsafe");
  const problem = selectionProblem(attested.pcrSelect, context.policy);
  if (problem !== undefined) return refuse("pcr-selection", problem);
  const { expected } = context;
  if (expected !== undefined && constantTimeEqual(attested.pcrDigest, expected)) return accept(undefined);
  const mismatch = explainDigest(attested.pcrDigest, asked.reportedLog, context);
  const { reason, detail } = mismatch;
  return { ...refuse(reason, detail), unexpected: { quotedDigest: attested.pcrDigest, mismatch } };
}

/** The head of everything that a TPM states: Part 2, 10.12.12. */
const AttestHead = struct("TPMS_ATTEST", { magic: u32be, type: u16be, body: rest });

function decodeQuote(data: Uint8Array): Outcome<TpmsAttestQuote, EvidenceReason> {
  try {
    const { magic, type } = decode(AttestHead, data, "evidence.data");
    if (magic !== TPM_GENERATED_VALUE) return refuse("not-a-quote", `magic 0x${magic.toString(16)}`);
    if (type !== TpmSt.ATTEST_QUOTE) return refuse("not-a-quote", `type 0x${type.toString(16)}`);
    const attest = decode(TpmsAttest, data, "evidence.data");
    return attest.type === TpmSt.ATTEST_QUOTE ? accept(attest) : refuse("not-a-quote");
  } catch (error) {
    if (error instanceof CodecError) return refuse("evidence-malformed", error.message);
    throw error;
  }
}

/** Exactly the banks of the policy, each once and with exactly its mask. */
function selectionProblem(
  selection: TpmsAttestQuote["attested"]["pcrSelect"],
  policy: readonly PolicyBank[],
): string | undefined {
  if (selection.length !== policy.length) return `${selection.length} banks quoted, ${policy.length} asked for`;
  for (const { algorithm, mask } of policy) {
    const bank = selection.find(({ hash }) => hash === algorithm);
    if (bank === undefined) return `bank 0x${algorithm.toString(16)} is not quoted`;
    if (bank.pcrSelect !== mask)
      return `mask 0x${bank.pcrSelect.toString(16)} quoted, 0x${mask.toString(16)} asked for`;
  }
  return undefined;
}
