import {
  type CoapEndpoint,
  type CoapError,
  type CoapResponse,
  codeText,
  isSuccess,
  type Method,
} from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";

/** The published timing: one second for each of five sends, Block2 of 512 bytes always asked. */
const TRANSMISSION = {
  ackTimeoutMs: 1000,
  ackRandomFactor: 1,
  maxRetransmit: 4,
  backoffFactor: 1,
  responseTimeoutMs: 10_000,
} as const;
const BLOCK_BYTES = 512;
const MAX_BODY_BYTES = 20_000;
const MAX_DIAGNOSTIC = 120;

export interface Question {
  readonly method: Method;
  readonly path: string;
  readonly payload?: Uint8Array;
  readonly contentFormat?: number;
  /** For the whole answer, all its blocks together. */
  readonly timeoutMs?: number;
}

/** `silent`: no answer. `refused`: an error code. `malformed`: an answer that breaks the rules of CoAP or the limit of a body. */
export type Answer =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly how: "silent" | "refused" | "malformed"; readonly detail: string };

/** Asks one thing; `onAnswer` runs once, unless the returned cancel ran before. */
export function ask(
  endpoint: CoapEndpoint,
  to: Peer,
  question: Question,
  onAnswer: (answer: Answer) => void,
): () => void {
  const request = {
    ...question,
    blockSize: BLOCK_BYTES,
    transmission: TRANSMISSION,
    maxBodyBytes: MAX_BODY_BYTES,
  } as const;
  return endpoint.start(to, request, (outcome) => {
    if (outcome.ok) onAnswer(toAnswer(question, outcome.response));
    else onAnswer({ ok: false, how: howOf(outcome.error), detail: `${question.path}: ${outcome.error.message}` });
  });
}

function howOf({ kind }: CoapError): "silent" | "malformed" {
  return kind === "protocol" || kind === "too-large" ? "malformed" : "silent";
}

function toAnswer({ path }: Question, { code, payload }: CoapResponse): Answer {
  if (isSuccess(code)) return { ok: true, body: payload };
  const text = new TextDecoder().decode(payload.subarray(0, MAX_DIAGNOSTIC));
  return { ok: false, how: "refused", detail: `${path}: ${codeText(code)}${text === "" ? "" : ` ${text}`}` };
}
