import { CodecError, decode, equal, toHex } from "../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  codeText,
  decodeMessage,
  isRequest,
  isSuccess,
  MessageType,
  OptionNumber,
  optionTexts,
  optionValue,
} from "../../shared/coap/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import {
  ArpOperation,
  type ArpPacket,
  BROADCAST_MAC,
  decodeArp,
  decodeIpv4,
  decodeUdp,
  EthernetFrame,
  EtherType,
  IpProtocol,
} from "../../shared/net/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import { V1, V1_PORT, V1_TOKEN_ADDRESS } from "../../shared/protocol/index.ts";
import { ATTESTER_PEER, TOKEN_MAC } from "../../token/token.ts";
import type { Findings } from "./findings.ts";

interface Heard {
  readonly atMs: number;
  /** What its success uses up; undefined for what may be asked again and again. */
  readonly once: string | undefined;
  readonly path: string;
  /** Came while the token did not know the way back: answers to many wait for it, and the oldest make room. */
  mayBeLost: boolean;
}

interface Datagram {
  readonly port: number;
  readonly message: CoapMessage;
}

/**
 * Who listens on the link of one computer, and takes what a token says at its word: a confirmable request that reached it whole is answered
 * within the instant (RFC 7252, 4.2), and a grant or a signed request is good for one exchange.
 */
export class Tap {
  readonly #clock: Clock;
  readonly #findings: Findings;
  readonly #computer: string;
  readonly #waiting = new Map<string, Heard>();
  /** The token has asked who has the computer's address, and heard nothing: it cannot answer. */
  #isAsking = false;

  constructor(computer: string, clock: Clock, findings: Findings) {
    this.#computer = computer;
    this.#clock = clock;
    this.#findings = findings;
  }

  toToken(frame: Uint8Array): void {
    if (arpIn(frame, "to-token")?.senderAddress === ATTESTER_PEER.address) this.#isAsking = false;
    const heard = datagramIn(frame, "to-token");
    if (heard === undefined || heard.message.type !== MessageType.Con || !isRequest(heard.message.code)) return;
    const { port, message } = heard;
    const path = `/${optionTexts(message.options, OptionNumber.UriPath).join("/")}`;
    const request = { atMs: this.#clock.now(), once: onceIn(message, path), path, mayBeLost: this.#isAsking };
    this.#waiting.set(`${port} ${message.messageId}`, request);
  }

  toComputer(frame: Uint8Array): void {
    if (arpIn(frame, "to-computer")?.operation === ArpOperation.Request) this.#asks();
    const told = datagramIn(frame, "to-computer");
    if (told === undefined || (told.message.type !== MessageType.Ack && told.message.type !== MessageType.Rst)) return;
    const { port, message } = told;
    const exchange = `${port} ${message.messageId}`;
    const request = this.#waiting.get(exchange);
    this.#waiting.delete(exchange);
    if (request?.once === undefined || !isSuccess(message.code) || message.code === Code.Continue) return;
    this.#findings.accepted(request.once, `${this.#computer}, exchange ${exchange}`);
  }

  #asks(): void {
    this.#isAsking = true;
    for (const request of this.#waiting.values()) request.mayBeLost = true;
  }

  /** The stick is out, or has no power: it owes nobody an answer. */
  forget(): void {
    this.#waiting.clear();
    this.#isAsking = false;
  }

  /** Later than what was heard. */
  step(): void {
    if (this.#isAsking) this.#waiting.clear();
    for (const [exchange, { atMs, path, mayBeLost }] of this.#waiting) {
      if (atMs >= this.#clock.now()) continue;
      if (!mayBeLost) this.#findings.fail(`the token left a request for ${path} unanswered (${exchange})`);
      this.#waiting.delete(exchange);
    }
  }
}

/** Grants, and requests that a key signed for a nonce, are used up by a success. Later blocks of an answer are no other use. */
function onceIn({ code, options, payload }: CoapMessage, path: string): string | undefined {
  if (optionValue(options, OptionNumber.Block2)?.some((byte) => byte > 0x0f) === true) return undefined;
  const grant = optionTexts(options, OptionNumber.UriQuery).find((argument) => argument.startsWith("grant="));
  if (grant !== undefined) return grant;
  const isSigned = path === V1.GRANT || path.startsWith(V1.PLATFORMS);
  if (!isSigned || optionValue(options, OptionNumber.Block1) !== undefined) return undefined;
  return `${codeText(code)} ${path} with ${toHex(digest("sha256", payload))}`;
}

type Direction = "to-token" | "to-computer";

/** Whether a frame is for the host at that end; damage may have made it another's. */
function isForEnd({ destination }: EthernetFrame, direction: Direction): boolean {
  return direction === "to-computer" || equal(destination, TOKEN_MAC) || equal(destination, BROADCAST_MAC);
}

/** Undefined for what is no ARP packet. */
function arpIn(frame: Uint8Array, direction: Direction): ArpPacket | undefined {
  return ifWhole(() => {
    const ethernet = decode(EthernetFrame, frame);
    return ethernet.etherType === EtherType.Arp && isForEnd(ethernet, direction)
      ? decodeArp(ethernet.payload)
      : undefined;
  });
}

/** A message of API v1 in a frame that either end takes; undefined for all else. `port` is the computer's. */
function datagramIn(frame: Uint8Array, direction: Direction): Datagram | undefined {
  return ifWhole(() => {
    const ethernet = decode(EthernetFrame, frame);
    if (ethernet.etherType !== EtherType.Ipv4) return undefined;
    if (direction === "to-token" && !equal(ethernet.destination, TOKEN_MAC)) return undefined;
    const { source, destination, protocol, payload } = decodeIpv4(ethernet.payload);
    if (protocol !== IpProtocol.Udp) return undefined;
    const udp = decodeUdp(payload, source, destination);
    const [token, port] = direction === "to-token" ? [destination, udp.destinationPort] : [source, udp.sourcePort];
    if (token !== V1_TOKEN_ADDRESS || port !== V1_PORT) return undefined;
    const theirs = direction === "to-token" ? udp.sourcePort : udp.destinationPort;
    return { port: theirs, message: decodeMessage(udp.payload) };
  });
}

/** Undefined for bytes that are damaged. */
function ifWhole<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
