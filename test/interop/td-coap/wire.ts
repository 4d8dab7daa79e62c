/** What goes over the wire between a client and a server, and what is lost of it. */
import assert from "node:assert/strict";
import { CodecError, equal } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  codeClass,
  codeText,
  decodeMessage,
  isRequest,
  MessageType,
  OptionNumber,
  optionUint,
} from "../../../shared/coap/index.ts";

export interface Seen {
  readonly from: "client" | "server";
  readonly message: CoapMessage;
}

/** One request, retransmissions not counted, and what was said until the next. */
export interface Exchange {
  readonly request: CoapMessage;
  readonly fromServer: readonly CoapMessage[];
  /** Empty messages of the client. */
  readonly fromClient: readonly CoapMessage[];
}

export class Wire {
  readonly seen: Seen[] = [];
  /** Called for each message, retransmissions too: true loses it. */
  loses: (seen: Seen) => boolean = () => false;
  /** Runs after each message. */
  onSeen: () => void = () => undefined;

  /** Notes a datagram; false when it is to be lost. What is no CoAP message passes, and is not noted. */
  pass(from: Seen["from"], datagram: Uint8Array): boolean {
    const message = read(datagram);
    if (message === undefined) return true;
    const seen = { from, message };
    this.seen.push(seen);
    const lost = this.loses(seen);
    this.onSeen();
    return !lost;
  }

  /** Forgets what was seen; from now on the first message that `lost` names is lost, and no other. */
  begin(lost: (seen: Seen) => boolean = () => false): void {
    this.seen.length = 0;
    let done = false;
    this.loses = (seen) => {
      if (done || !lost(seen)) return false;
      done = true;
      return true;
    };
  }

  count(which: (seen: Seen) => boolean): number {
    return this.seen.filter(which).length;
  }

  exchanges(): readonly Exchange[] {
    const found: { request: CoapMessage; fromServer: CoapMessage[]; fromClient: CoapMessage[] }[] = [];
    for (const { from, message } of this.seen) {
      if (from === "server") found.at(-1)?.fromServer.push(message);
      else if (!isRequest(message.code)) found.at(-1)?.fromClient.push(message);
      else if (!found.some(({ request }) => request.messageId === message.messageId))
        found.push({ request: message, fromServer: [], fromClient: [] });
    }
    return found;
  }
}

function read(datagram: Uint8Array): CoapMessage | undefined {
  try {
    return decodeMessage(datagram);
  } catch (error) {
    if (error instanceof CodecError) return undefined; // the receiver's business
    throw error;
  }
}

export const isAsked = ({ from, message }: Seen) => from === "client" && isRequest(message.code);
export const isEmptyAck = ({ message }: Seen) => message.type === MessageType.Ack && message.code === Code.Empty;
export const isAnswer = ({ from, message }: Seen) => from === "server" && message.code !== Code.Empty;

/** The response that carries the request's CoAP token, with one of `codes`. Others are late ones to requests before. */
export function responseTo(exchange: Exchange, codes: readonly number[]): CoapMessage {
  const [response] = responsesTo(exchange);
  assert.ok(response !== undefined, "no response with the request's token");
  assert.ok(codes.includes(response.code), `answered ${codeText(response.code)}`);
  return response;
}

/** The same with those that were sent again. */
export function responsesTo({ request, fromServer }: Exchange): readonly CoapMessage[] {
  return fromServer.filter(({ code, coapToken }) => code !== Code.Empty && equal(coapToken, request.coapToken));
}

/** A body in a success is of a Content-Format. */
export function assertTellsFormat({ code, options, payload }: CoapMessage): void {
  if (codeClass(code) !== 2 || payload.byteLength === 0) return;
  assert.notEqual(optionUint(options, OptionNumber.ContentFormat), undefined, "no Content-Format");
}

export function assertPiggybacked(request: CoapMessage, response: CoapMessage): void {
  assert.equal(response.type, MessageType.Ack, "not piggybacked");
  assert.equal(response.messageId, request.messageId);
}
