import { CodecError, constantTimeEqual, decode, rest, struct, u16be, u32be } from "../../shared/bytes/index.ts";
import type { EcPublicKey, RsaPublicKey } from "../../shared/crypto/index.ts";
import { type Evidence, type PolicyBank, verifySignature } from "../../shared/protocol/index.ts";
import {
  type PcrBank,
  pcrDigest,
  pcrNumbers,
  pcrValue,
  TPM_GENERATED_VALUE,
  TpmAlg,
  TpmSt,
  TpmsAttest,
  type TpmsAttestQuote,
} from "../../shared/tpm/index.ts";
import { type AppraisalRefusal, accept, type Outcome, refuse } from "./reasons.ts";

/** What evidence is appraised against. */
export interface AppraisalContext {
  readonly key: RsaPublicKey | EcPublicKey;
  readonly nonce: Uint8Array;
  readonly policy: readonly PolicyBank[];
  /** Reference values. */
  readonly reference: readonly PcrBank[];
}

/** A refusal that holds the quoted digest where the PCRs alone are wrong, so that it can be explained. */
export type Appraisal = Outcome<undefined, AppraisalRefusal> & { readonly quotedDigest?: Uint8Array };

/** Appraises evidence (RFC 9334, section 8.1) in six steps; the first that fails is the reason. */
export function appraiseEvidence(evidence: Evidence, context: AppraisalContext): Appraisal {
  if (!verifySignature(context.key, evidence.data, evidence.signature)) return refuse("evidence-signature");
  const quote = decodeQuote(evidence.data);
  if (!quote.ok) return quote;
  const { extraData, clockInfo, attested } = quote.value;
  if (!constantTimeEqual(extraData, context.nonce)) return refuse("nonce-mismatch");
  if (!clockInfo.safe) return refuse("tpm-clock-unsafe");
  const problem = selectionProblem(attested.pcrSelect, context.policy);
  if (problem !== undefined) return refuse("pcr-selection", problem);
  const expected = policyDigest(context.reference, context.policy);
  if (expected !== undefined && constantTimeEqual(attested.pcrDigest, expected)) return accept(undefined);
  return { ...refuse("pcr-mismatch"), quotedDigest: attested.pcrDigest };
}

/** The head of everything that a TPM states: Part 2, 10.12.12. */
const AttestHead = struct("TPMS_ATTEST", { magic: u32be, type: u16be, body: rest });

function decodeQuote(data: Uint8Array): Outcome<TpmsAttestQuote, AppraisalRefusal> {
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

/** SHA-256 over the PCRs in the order of the policy, lowest PCR first; undefined when one is missing. */
function policyDigest(banks: readonly PcrBank[], policy: readonly PolicyBank[]): Uint8Array | undefined {
  const selection = policy.map(({ algorithm, mask }) => ({ hash: algorithm, pcrSelect: mask }));
  return pcrDigest(TpmAlg.SHA256, selection, banks);
}

/**
 * The PCRs in which the peer's values differ from the reference, but only when those values hash to the quoted digest: only
 * then did the TPM vouch for them. Undefined otherwise.
 */
export function explainMismatch(
  quotedDigest: Uint8Array,
  reported: readonly PcrBank[],
  { policy, reference }: Pick<AppraisalContext, "policy" | "reference">,
): readonly number[] | undefined {
  const digest = policyDigest(reported, policy);
  if (digest === undefined || !constantTimeEqual(digest, quotedDigest)) return undefined;
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
