import { CodecError } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor } from "../../shared/cbor/index.ts";
import type { CoapEndpoint } from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { type Refused, refuse } from "../domain/reasons.ts";
import { type Answer, ask, type Question } from "./ask.ts";

/** The refusals that any conversation may end with, in the words of its peer. */
export interface PeerReasons<R extends string> {
  readonly silent: R;
  readonly refused: R;
  readonly malformed: R;
}

/**
 * One conversation with one peer: a chain of questions, each asked when the answer before was accepted. It ends once, by
 * `end`, by the first refusal, or by `cancel`, after which nothing of it is heard any more.
 */
export class Conversation<R extends string> {
  readonly #endpoint: CoapEndpoint;
  readonly #peer: Peer;
  readonly #reasons: PeerReasons<R>;
  readonly #onRefused: (refusal: Refused<R>) => void;
  #cancelQuestion: () => void = () => undefined;
  #over = false;

  constructor(endpoint: CoapEndpoint, peer: Peer, reasons: PeerReasons<R>, onRefused: (refusal: Refused<R>) => void) {
    this.#endpoint = endpoint;
    this.#peer = peer;
    this.#reasons = reasons;
    this.#onRefused = onRefused;
  }

  /** `onBody` gets the body of a success; what it returns, when it returns something, ends the conversation as refused. */
  ask(question: Question, onBody: (body: Uint8Array) => Refused<R> | undefined): undefined {
    this.#cancelQuestion = ask(this.#endpoint, this.#peer, question, (answer) => this.#answered(answer, onBody));
    return undefined;
  }

  /** As `ask`, with the body decoded; one that does not decode is refused as malformed. */
  askFor<T>(question: Question, schema: CborSchema<T>, onValue: (value: T) => Refused<R> | undefined): undefined {
    return this.ask(question, (body) => {
      let value: T;
      try {
        value = decodeCbor(schema, body, question.path.slice(1));
      } catch (error) {
        if (error instanceof CodecError) return refuse(this.#reasons.malformed, error.message);
        throw error;
      }
      return onValue(value);
    });
  }

  cancel(): void {
    this.#over = true;
    this.#cancelQuestion();
  }

  #answered(answer: Answer, onBody: (body: Uint8Array) => Refused<R> | undefined): void {
    if (this.#over) return;
    const refusal = answer.ok ? onBody(answer.body) : refuse(this.#reasons[answer.how], answer.detail);
    if (refusal === undefined || this.#over) return;
    this.#over = true;
    this.#onRefused(refusal);
  }
}
