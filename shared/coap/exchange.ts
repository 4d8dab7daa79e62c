import { CodecError, equal, Reader } from "../bytes/index.ts";
import type { Clock, DatagramPort, Log, Peer, Random } from "../ports/index.ts";
import { Code, isRequest } from "./code.ts";
import { DuplicateMemory, type Remembered } from "./duplicates.ts";
import { type CoapMessage, decodeMessage, emptyMessage, encodeMessage, MessageType } from "./message.ts";
import type { CoapOption } from "./option.ts";
import { type CoapLimits, EXCHANGE_LIFETIME_MS, NON_LIFETIME_MS, type Transmission } from "./parameters.ts";
import { type PeerRecord, PeerTable } from "./peers.ts";
import { RequestExchange } from "./request-exchange.ts";
import { Slab } from "./slab.ts";
import { type Outgoing, type TransmissionSink, Transmitter } from "./transmitter.ts";

/** Where requests and separate responses go. */
export interface ExchangeUser {
  request(exchange: RequestExchange): void;
  /** Whether the response was asked for and can be understood; `taken` is called after the ACK went out. */
  separateResponse(peer: PeerRecord, message: CoapMessage): { accepted: boolean; taken: () => void } | undefined;
  /** See EndpointOptions.onHeard. */
  heard(peer: Peer, ofItself: boolean): void;
}

type MessageBody = Pick<CoapMessage, "type" | "code" | "coapToken" | "options" | "payload">;

export interface CoapCounters {
  received: number;
  /** Datagrams that are no CoAP message. */
  malformed: number;
  duplicates: number;
  /** Responses, ACKs and RSTs that nobody waited for. */
  unasked: number;
}

/** The messaging layer: RFC 7252, section 4. */
export class ExchangeLayer {
  readonly peers: PeerTable;
  readonly counters: CoapCounters = { received: 0, malformed: 0, duplicates: 0, unasked: 0 };
  readonly limits: CoapLimits;
  readonly #clock: Clock;
  readonly #how: Transmission;
  readonly #port: DatagramPort;
  readonly #transmitter: Transmitter;
  /** By the standing that peers had: a flood of strangers would make the memory of the others forget too early. */
  readonly #seen: (DuplicateMemory | undefined)[] = [];
  readonly #slab = new Slab();
  /** The one that is being dealt with, and those whose answer takes longer than that. */
  #received: RequestExchange | undefined;
  readonly #running = new Set<RequestExchange>();
  /** Separate responses that are repeated until the peer acknowledges them. */
  #unacknowledged = 0;
  readonly #log: Log | undefined;
  #user: ExchangeUser | undefined;

  constructor(
    seams: { port: DatagramPort; clock: Clock; random: Random; log: Log | undefined },
    how: Transmission,
    limits: CoapLimits,
  ) {
    this.#port = seams.port;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#how = how;
    this.limits = limits;
    this.peers = new PeerTable(limits.peers);
    this.#transmitter = new Transmitter(seams.port, seams.clock, seams.random);
  }

  attach(user: ExchangeUser): void {
    this.#user = user;
  }

  now(): number {
    return this.#clock.now();
  }

  /** See CoapEndpoint.holdings. */
  holdings(): Readonly<Record<string, number>> {
    return {
      peers: this.peers.size,
      "bytes of remembered messages": Math.max(0, ...this.#seen.map((memory) => memory?.bytes ?? 0)),
      "running requests": this.runningRequests,
      "messages under way": this.#transmitter.waiting,
    };
  }

  /** Besides the one that is being dealt with. A request is over when its response is there: its peer may be one that never was, and says nothing. */
  get runningRequests(): number {
    return this.#running.size + this.#unacknowledged;
  }

  receive(datagram: Uint8Array, from: Peer): void {
    this.counters.received++;
    const message = this.#decode(datagram, from);
    if (message === undefined) return;
    const peer = this.peers.of(from);
    this.#user?.heard(peer.peer, this.#isOfItself(peer, message));
    if (message.code === Code.Empty) this.#receiveEmpty(peer, message);
    else if (isRequest(message.code)) this.#receiveRequest(peer, message, datagram);
    else this.#receiveResponse(peer, message, datagram);
  }

  /** A request, or a ping that is not ours sent back. */
  #isOfItself(peer: PeerRecord, { type, code, messageId }: CoapMessage): boolean {
    if (isRequest(code)) return true;
    const isPing = code === Code.Empty && type === MessageType.Con;
    return isPing && this.#transmitter.find(peer, messageId) === undefined;
  }

  /** Sends a request; see Transmitter.send. */
  send(peer: PeerRecord, body: MessageBody, sink: TransmissionSink, how: Transmission = this.#how): Outgoing {
    const messageId = this.#transmitter.messageId(peer);
    const { type, code, coapToken, options, payload } = body;
    return this.#transmitter.send(peer, { type, code, messageId, coapToken, options, payload }, how, sink);
  }

  /** Nothing is left to do however it ends, but until then it counts. */
  sendSeparate(peer: PeerRecord, body: MessageBody): void {
    this.#unacknowledged++;
    const over = () => {
      this.#unacknowledged--;
    };
    this.send(peer, body, { acknowledged: over, answered: over, reset: over, timedOut: over });
  }

  stop(outgoing: Outgoing): void {
    this.#transmitter.stop(outgoing);
  }

  close(): void {
    this.#transmitter.close();
    this.#unacknowledged = 0;
    this.#received?.abandon();
    for (const exchange of this.#running) exchange.abandon();
    this.#running.clear();
  }

  /** A reply to a request under way: sent and, being an answer to its message id, remembered. */
  reply(peer: PeerRecord, remembered: Remembered, message: CoapMessage, revocable = false): void {
    const reply = encodeMessage(message, this.#slab);
    remembered.memory.setReply(remembered, reply, revocable ? peer.era : undefined);
    if (remembered.memory !== this.#seen[peer.standing]) this.#rememberHigher(peer, remembered);
    this.#transmitter.sendOnce(peer, reply);
  }

  sendNon(
    peer: PeerRecord,
    body: { code: number; coapToken: Uint8Array; options: readonly CoapOption[]; payload: Uint8Array },
  ) {
    const messageId = this.#transmitter.messageId(peer);
    this.#transmitter.sendOnce(peer, encodeMessage({ type: MessageType.Non, messageId, ...body }));
  }

  finished(exchange: RequestExchange): void {
    this.#running.delete(exchange);
    exchange.peer.inUse--;
  }

  /** Section 4.2: what cannot be processed is reset when confirmable and passed over when not; so is another version (section 3). */
  #decode(datagram: Uint8Array, from: Peer): CoapMessage | undefined {
    try {
      return decodeMessage(datagram);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.counters.malformed++;
      this.#log?.write("debug", `CoAP: ${error.message}`, { peer: from });
      const id = confirmableId(datagram);
      if (id !== undefined) this.#port.send(encodeMessage(emptyMessage(MessageType.Rst, id)), from);
      return undefined;
    }
  }

  #receiveEmpty(peer: PeerRecord, message: CoapMessage): void {
    const { type, messageId } = message;
    if (type === MessageType.Con) {
      this.#transmitter.sendOnce(peer, encodeMessage(emptyMessage(MessageType.Rst, messageId))); // ping, section 4.3
      return;
    }
    const outgoing = type === MessageType.Non ? undefined : this.#transmitter.find(peer, messageId);
    if (outgoing === undefined) {
      this.counters.unasked++;
      return;
    }
    this.#transmitter.stop(outgoing);
    if (type === MessageType.Rst) outgoing.sink.reset();
    else outgoing.sink.acknowledged();
  }

  #receiveRequest(peer: PeerRecord, message: CoapMessage, datagram: Uint8Array): void {
    if (message.type !== MessageType.Con && message.type !== MessageType.Non) return; // section 4.2: never on ACK or RST
    const now = this.#clock.now();
    if (this.#isDuplicate(peer, message, datagram, now)) return;
    const remembered = this.#remember(peer, message, datagram, now);
    const exchange = new RequestExchange(this, peer, message, remembered);
    peer.inUse++;
    this.#received = exchange;
    this.#user?.request(exchange);
    this.#received = undefined;
    if (exchange.done) return; // as most are
    this.#running.add(exchange);
    if (message.type === MessageType.Con) {
      exchange.stopTimer = this.#clock.after(this.limits.ackDelayMs, () => exchange.acknowledge());
    }
  }

  #receiveResponse(peer: PeerRecord, message: CoapMessage, datagram: Uint8Array): void {
    if (message.type === MessageType.Rst) return;
    if (message.type === MessageType.Ack) {
      this.#receivePiggybacked(peer, message);
      return;
    }
    const now = this.#clock.now();
    if (this.#isDuplicate(peer, message, datagram, now)) return;
    const match = this.#user?.separateResponse(peer, message);
    if (match === undefined) this.counters.unasked++;
    const remembered = this.#remember(peer, message, datagram, now);
    if (message.type === MessageType.Con) {
      const type = match?.accepted === true ? MessageType.Ack : MessageType.Rst;
      this.reply(peer, remembered, emptyMessage(type, message.messageId));
    }
    match?.taken();
  }

  #receivePiggybacked(peer: PeerRecord, message: CoapMessage): void {
    const outgoing = this.#transmitter.find(peer, message.messageId);
    if (outgoing === undefined || !equal(outgoing.coapToken, message.coapToken)) {
      this.counters.unasked++; // section 5.3.2: token and message id have to match
      return;
    }
    this.#transmitter.stop(outgoing);
    outgoing.sink.answered(message);
  }

  #isDuplicate(peer: PeerRecord, message: CoapMessage, datagram: Uint8Array, now: number): boolean {
    const { messageId } = message;
    let seen: Remembered | undefined;
    for (const memory of this.#seen) seen ??= memory?.find(peer, messageId, datagram, now);
    if (seen === undefined) return false;
    this.counters.duplicates++;
    const reply = message.type === MessageType.Con ? seen.memory.reply(seen) : undefined;
    if (reply !== undefined) this.#transmitter.sendOnce(peer, reply);
    return true;
  }

  #remember(peer: PeerRecord, message: CoapMessage, datagram: Uint8Array, now: number): Remembered {
    const lifetime = message.type === MessageType.Con ? EXCHANGE_LIFETIME_MS : NON_LIFETIME_MS;
    return this.#memoryFor(peer).add(peer, message.messageId, datagram, now + lifetime);
  }

  /** A message that made its peer one that is held, or held first, is kept like those that follow. In no lower memory than before. */
  #rememberHigher(peer: PeerRecord, remembered: Remembered): void {
    if (this.#seen.indexOf(remembered.memory) > peer.standing) return;
    remembered.memory.copyTo(this.#memoryFor(peer), remembered);
  }

  #memoryFor({ standing }: PeerRecord): DuplicateMemory {
    this.#seen[standing] ??= new DuplicateMemory(this.limits.rememberedMessages);
    return this.#seen[standing];
  }
}

/** The message id, if at least the fixed header is there, of this version, and says confirmable. */
function confirmableId(datagram: Uint8Array): number | undefined {
  if (datagram.byteLength < HEADER_BYTES) return undefined;
  const r = new Reader(datagram);
  const first = r.u8();
  r.u8();
  return first >> 4 === VERSION_1_CON ? r.u16be() : undefined;
}

const HEADER_BYTES = 4;
const VERSION_1_CON = 0x4;
