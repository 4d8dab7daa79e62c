import { type CoapResponse, codeText } from "../../shared/coap/index.ts";
import type { EvidenceReason } from "../../shared/protocol/index.ts";
import { TokenAnswerError, TokenRefused, TokenSilent } from "./token-wire.ts";

/** What came of asking a token for something: done, or a reason and a sentence. */

/** Why it was not done. */
export type RefusalReason =
  /** No answer in time, or the link was closed. */
  | "token-silent"
  /** An answer that the protocol does not have. */
  | "malformed-answer"
  /** The token does not speak API v1. */
  | "other-api"
  | "token-unprovisioned"
  | "ek-refused"
  | "aik-refused"
  /** By the token, or by the TPM: the credential was not for this EK and this AIK. */
  | "activation-refused"
  | "metadata-refused"
  | "rim-refused"
  /** All was there, yet the token does not enrol the platform. */
  | "enrolment-refused"
  /** This TPM has no attestation key: the platform was never provisioned. */
  | "no-key"
  | "unknown-platform"
  /** The token asks for PCRs of a bank that this TPM does not have. */
  | "no-bank"
  /** The evidence was appraised, and is not what it should be: why, in the token's word; not-trusted from a token that does not tell. */
  | EvidenceReason
  | "not-trusted"
  | "not-attested"
  | "no-file"
  | "bad-name"
  | "too-large"
  | "grant-refused"
  | "storage-failure"
  /** Any other error code. */
  | "refused";

export interface Refusal {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** A sentence without its full stop. */
  readonly detail: string;
  /** What the token answered, where an error code was it. */
  readonly code?: number;
}

/** Inside the flows only: what ends one before its end. `settled` makes a value of it. */
export class FlowEnd extends Error {
  override readonly name = "FlowEnd";
  readonly reason: RefusalReason;
  readonly code: number | undefined;

  constructor(reason: RefusalReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
    this.code = cause instanceof TokenRefused ? cause.code : undefined;
  }
}

export type Reasons = Readonly<Record<number, RefusalReason>>;

/** Runs one request; an error code of the token ends the flow with its reason, "refused" where none is named. */
export async function refusing(reasons: Reasons, ask: () => Promise<CoapResponse>): Promise<CoapResponse> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    throw new FlowEnd(reasons[error.code] ?? "refused", error.message, error);
  }
}

/** A success that says what it should; any other 2.xx is none. */
export function expectCode(what: string, response: CoapResponse, ...codes: readonly number[]): CoapResponse {
  if (codes.includes(response.code)) return response;
  const wanted = codes.map(codeText).join(" or ");
  throw new TokenAnswerError(`the token's answer to ${what} is ${codeText(response.code)}, not ${wanted}`);
}

/** The flow's result as a value. What the TPM client rejects with goes on as it is, and so does a bug. */
export async function settled<T>(flow: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await flow();
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

/** What an error says that ends a flow; undefined for any other. */
export function refusalOf(error: unknown): Refusal | undefined {
  const reason = reasonOf(error);
  if (reason === undefined || !(error instanceof Error)) return undefined;
  const code = error instanceof TokenRefused || error instanceof FlowEnd ? error.code : undefined;
  return { ok: false, reason, detail: error.message, ...(code === undefined ? {} : { code }) };
}

function reasonOf(error: unknown): RefusalReason | undefined {
  if (error instanceof FlowEnd) return error.reason;
  if (error instanceof TokenSilent) return "token-silent";
  if (error instanceof TokenAnswerError) return "malformed-answer";
  return error instanceof TokenRefused ? "refused" : undefined;
}
