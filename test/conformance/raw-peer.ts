import {
  type CoapMessage,
  type CoapOption,
  encodeMessage,
  MessageType,
  type Method,
  methodCode,
  NO_BYTES,
  NO_OPTIONS,
  OptionNumber,
  textOption,
  uintOption,
} from "../../shared/coap/index.ts";
import type { Peer } from "../../shared/ports/index.ts";
import type { Answer } from "./answer.ts";
import type { Body } from "./client.ts";
import type { Gate } from "./gate.ts";
import type { Time } from "./time.ts";
import { Unmet } from "./unmet.ts";

const ANSWER_MS = 1_000;

/** A peer that is written out message by message; it answers nothing by itself. */
export class RawPeer {
  readonly wire: Gate;
  readonly received: CoapMessage[] = [];
  readonly #token: Peer;
  readonly #time: Time;
  #messageId = 0x1000;

  constructor(wire: Gate, token: Peer, time: Time) {
    this.wire = wire;
    this.#token = token;
    this.#time = time;
    wire.onDatagram(() => {
      const { message } = wire.seen.at(-1) ?? {};
      if (message !== undefined) this.received.push(message);
    });
  }

  sendBytes(datagram: Uint8Array): void {
    this.wire.send(datagram, this.#token);
  }

  /** A confirmable message with a fresh id and no token, but for what is said. */
  send(fields: Partial<CoapMessage> & { readonly code: number }): CoapMessage {
    const message: CoapMessage = {
      type: MessageType.Con,
      messageId: this.#messageId++,
      coapToken: NO_BYTES,
      options: NO_OPTIONS,
      payload: NO_BYTES,
      ...fields,
    };
    this.sendBytes(encodeMessage(message));
    return message;
  }

  /** The next message from the token; undefined when none comes within a second. */
  async next(withinMs = ANSWER_MS): Promise<CoapMessage | undefined> {
    const step = 50;
    for (let waited = 0; ; waited += step) {
      await this.#time.wait(waited === 0 ? 0 : step);
      const message = this.received.shift();
      if (message !== undefined || waited >= withinMs) return message;
    }
  }

  /** Sends a request and gives its piggybacked answer. */
  async ask(
    method: Method,
    path: string,
    body: Body = { payload: NO_BYTES },
    options: readonly CoapOption[] = [],
  ): Promise<Answer> {
    return this.answerTo(this.send(requestOf(method, path, body, options)), `${method} ${path}`);
  }

  async answerTo(sent: CoapMessage, what: string): Promise<Answer> {
    const answer = await this.next();
    if (answer === undefined) throw new Unmet(`${what}: no answer`);
    if (answer.type !== MessageType.Ack || answer.messageId !== sent.messageId) {
      throw new Unmet(`${what}: a message of type ${answer.type} that is no piggybacked answer`);
    }
    return { what, code: answer.code, options: answer.options, payload: answer.payload };
  }

  /** Nothing comes within half a second; later the token may ping. */
  async hearsNothing(what: string): Promise<void> {
    const message = await this.next(ANSWER_MS / 2);
    if (message !== undefined) throw new Unmet(`${what}: silence expected, a message of type ${message.type} came`);
  }
}

/** The fields of a request's message. */
export function requestOf(
  method: Method,
  path: string,
  { payload, contentFormat }: Body,
  options: readonly CoapOption[] = [],
) {
  const segments = path.split("/").filter((segment) => segment !== "");
  const all: CoapOption[] = segments.map((segment) => textOption(OptionNumber.UriPath, segment));
  if (contentFormat !== undefined) all.push(uintOption(OptionNumber.ContentFormat, contentFormat));
  return { code: methodCode(method), options: [...all, ...options], payload };
}
