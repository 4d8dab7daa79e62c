import { CodecError } from "../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";
import { type CoapEndpoint, ContentFormat } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { Evidence, Limit, NonceRequest, SignedObject } from "../../shared/protocol/index.ts";
import { isFreshlySigned, mismatchVerdict, quoteRequest } from "../domain/attestation.ts";
import type { Domain } from "../domain/domain.ts";
import type { Verdict } from "../domain/events.ts";
import { type Platform, platformId } from "../domain/platforms.ts";
import { readRim } from "../domain/policy.ts";
import { type AppraisalRefusal, type Refused, refuse } from "../domain/reasons.ts";
import { ask } from "./ask.ts";
import { Conversation } from "./conversation.ts";

const REASONS = { silent: "attester-silent", refused: "attester-refused", malformed: "answer-malformed" } as const;
/** The verdict is red already: a peer must not hold it back by explaining slowly. */
const EXPLANATION_MS = 10_000;
const UNEXPLAINED = "the PCRs differ; the peer's values do not explain the quote";

/** Attestation of API v0, requests 6 and 7, and after a digest mismatch /rim once more for the explanation. `onVerdict` runs once. */
export function attest(
  endpoint: CoapEndpoint,
  attester: Peer,
  domain: Domain,
  onVerdict: (verdict: Verdict) => void,
): { cancel(): void } {
  let platform: Platform | undefined;
  let cancelExplanation: () => void = () => undefined;
  const notTrusted = ({ reason, detail }: Refused<AppraisalRefusal>): Verdict => {
    return { trusted: false, reason, detail, platform: platform?.summary };
  };
  const talk = new Conversation<AppraisalRefusal>(endpoint, attester, REASONS, (refusal) =>
    onVerdict(notTrusted(refusal)),
  );

  const quote = (known: Platform): undefined => {
    const { nonce, payload } = quoting;
    const question = { method: "POST", path: "/quote", payload, contentFormat: ContentFormat.Cbor } as const;
    return talk.askFor(question, Evidence, (evidence) => {
      const appraisal = domain.appraise(evidence, known, nonce);
      if (appraisal.ok) onVerdict({ trusted: true, platform: known.summary });
      else if (appraisal.unexpected === undefined) return appraisal;
      else if (appraisal.unexpected.mismatch.pcrs !== undefined)
        onVerdict(mismatchVerdict(known, appraisal.unexpected.mismatch));
      else explain(known, appraisal, appraisal.unexpected.quotedDigest);
      return undefined;
    });
  };

  /** The values are not signed with a nonce and need not be: they count only when they hash to what the TPM quoted. */
  const explain = (known: Platform, refusal: Refused<AppraisalRefusal>, quotedDigest: Uint8Array): void => {
    const question = { method: "FETCH", path: "/rim", timeoutMs: EXPLANATION_MS } as const;
    cancelExplanation = ask(endpoint, attester, question, (answer) => {
      const banks = answer.ok ? reportedValues(answer.body) : undefined;
      const mismatch = banks === undefined ? undefined : domain.explain(quotedDigest, banks, known);
      if (mismatch === undefined) onVerdict(notTrusted({ ...refusal, detail: UNEXPLAINED }));
      else onVerdict(mismatchVerdict(known, mismatch));
    });
  };

  const nonce = domain.random.bytes(Limit.NONCE_BYTES);
  const payload = encodeCbor(NonceRequest, { nonce });
  const question = { method: "FETCH", path: "/metadata", payload, contentFormat: ContentFormat.Cbor } as const;
  talk.askFor(question, SignedObject, (object) => {
    platform = domain.platforms.find(platformId(object.data));
    if (platform === undefined) return refuse("unknown-platform");
    if (!isFreshlySigned(platform, object, nonce)) return refuse("metadata-signature");
    return quote(platform);
  });
  const quoting = quotingOf(domain); // made while the attester's TPM signs

  return {
    cancel() {
      talk.cancel();
      cancelExplanation();
    },
  };
}

function quotingOf({ policy, random }: Domain): { readonly nonce: Uint8Array; readonly payload: Uint8Array } {
  const nonce = random.bytes(Limit.NONCE_BYTES);
  return { nonce, payload: quoteRequest(policy, nonce) };
}

function reportedValues(body: Uint8Array) {
  try {
    const banks = readRim(decodeCbor(SignedObject, body, "rim").data);
    return banks instanceof CodecError ? undefined : banks;
  } catch (error) {
    if (error instanceof CodecError) return undefined; // explains nothing
    throw error;
  }
}
