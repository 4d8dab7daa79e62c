import type { Unsubscribe } from "../ports/index.ts";
import type { ServerResponse } from "./block2-server.ts";
import type { Remembered } from "./duplicates.ts";
import type { ExchangeLayer } from "./exchange.ts";
import { type CoapMessage, emptyMessage, MessageType } from "./message.ts";
import type { PeerRecord } from "./peers.ts";

/** One request received, until its response was sent. */
export class RequestExchange {
  readonly peer: PeerRecord;
  readonly message: CoapMessage;
  readonly #layer: ExchangeLayer;
  readonly #remembered: Remembered;
  #acknowledged = false;
  done = false;
  stopTimer: Unsubscribe | undefined;

  constructor(layer: ExchangeLayer, peer: PeerRecord, message: CoapMessage, remembered: Remembered) {
    this.#layer = layer;
    this.peer = peer;
    this.message = message;
    this.#remembered = remembered;
  }

  /** Section 5.2: piggybacked when the ACK is still owed, else separate; non-confirmable to a non-confirmable request. */
  respond({ code, options, payload, revocable }: ServerResponse): void {
    if (this.done) return;
    this.#finish();
    const { type, messageId, coapToken } = this.message;
    if (type === MessageType.Non) {
      this.#layer.sendNon(this.peer, { code, coapToken, options, payload });
    } else if (this.#acknowledged) {
      this.#layer.sendSeparate(this.peer, { type: MessageType.Con, code, coapToken, options, payload });
    } else {
      const reply = { type: MessageType.Ack, code, messageId, coapToken, options, payload };
      this.#layer.reply(this.peer, this.#remembered, reply, revocable);
    }
  }

  /** Section 4.2: a matching RST instead of a response. */
  reject(): void {
    if (this.done) return;
    this.#finish();
    this.#layer.reply(this.peer, this.#remembered, emptyMessage(MessageType.Rst, this.message.messageId));
  }

  /** The handler takes its time: the peer learns that the request arrived. */
  acknowledge(): void {
    this.#acknowledged = true;
    this.#layer.reply(this.peer, this.#remembered, emptyMessage(MessageType.Ack, this.message.messageId));
  }

  /** What the handler may still say goes nowhere. */
  abandon(): void {
    this.done = true;
    this.stopTimer?.();
  }

  #finish(): void {
    this.abandon();
    this.#layer.finished(this);
  }
}
