import type { Clock, DatagramPort, Random, Unsubscribe } from "../ports/index.ts";
import { keyOf } from "./duplicates.ts";
import { type CoapMessage, encodeMessage, MessageType } from "./message.ts";
import type { Transmission } from "./parameters.ts";
import type { PeerRecord } from "./peers.ts";

const MESSAGE_IDS = 0x1_0000;
const JITTER_STEPS = 0xffff;

/** Learns how a message that was sent ended. One of the four is called, once. */
export interface TransmissionSink {
  /** By an empty ACK: the response comes separately. */
  acknowledged(): void;
  /** By a response piggybacked on the ACK. */
  answered(message: CoapMessage): void;
  reset(): void;
  timedOut(): void;
}

/** A message that waits for its ACK or RST. */
export interface Outgoing {
  readonly peer: PeerRecord;
  readonly messageId: number;
  /** What a piggybacked response has to carry: RFC 7252, section 5.3.2. */
  readonly coapToken: Uint8Array;
  readonly datagram: Uint8Array;
  readonly how: Transmission;
  readonly sink: TransmissionSink;
  sendings: number;
  waitMs: number;
  stopTimer: Unsubscribe;
}

/** Sends and repeats: RFC 7252, section 4.2. */
export class Transmitter {
  readonly #port: DatagramPort;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #waiting = new Map<number, Outgoing>();
  #nextId: number | undefined;

  constructor(port: DatagramPort, clock: Clock, random: Random) {
    this.#port = port;
    this.#clock = clock;
    this.#random = random;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A message id that is not under way to `peer`. The first is random, section 4.4. */
  messageId(peer: PeerRecord): number {
    let id = this.#nextId ?? this.#draw16();
    while (this.#waiting.has(keyOf(peer, id))) id = (id + 1) % MESSAGE_IDS;
    this.#nextId = (id + 1) % MESSAGE_IDS;
    return id;
  }

  /** Sends once and waits for nothing. */
  sendOnce(peer: PeerRecord, datagram: Uint8Array): void {
    this.#port.send(datagram, peer.peer);
  }

  /** Sends until it is answered or given up. A non-confirmable message goes out once and waits its response timeout for a RST. */
  send(peer: PeerRecord, message: CoapMessage, how: Transmission, sink: TransmissionSink): Outgoing {
    const confirmable = message.type === MessageType.Con;
    const outgoing: Outgoing = {
      peer,
      messageId: message.messageId,
      coapToken: message.coapToken,
      datagram: encodeMessage(message),
      how,
      sink,
      sendings: confirmable ? 0 : how.maxRetransmit,
      waitMs: confirmable ? this.#firstWait(how) : how.responseTimeoutMs,
      stopTimer: noTimer,
    };
    peer.inUse++;
    this.#waiting.set(keyOf(peer, message.messageId), outgoing);
    this.#sendNow(outgoing);
    return outgoing;
  }

  /** What waits for an answer to this message id, still waiting. */
  find(peer: PeerRecord, messageId: number): Outgoing | undefined {
    return this.#waiting.get(keyOf(peer, messageId));
  }

  /** No further sending, and its sink hears nothing more. */
  stop(outgoing: Outgoing): void {
    const key = keyOf(outgoing.peer, outgoing.messageId);
    if (this.#waiting.get(key) !== outgoing) return;
    this.#waiting.delete(key);
    outgoing.peer.inUse--;
    outgoing.stopTimer();
  }

  close(): void {
    for (const outgoing of [...this.#waiting.values()]) this.stop(outgoing);
  }

  #sendNow(outgoing: Outgoing): void {
    outgoing.sendings++;
    // armed first: over a synchronous port the answer comes within `send`
    outgoing.stopTimer = this.#clock.after(outgoing.waitMs, () => this.#waited(outgoing));
    this.#port.send(outgoing.datagram, outgoing.peer.peer);
  }

  #waited(outgoing: Outgoing): void {
    if (outgoing.sendings > outgoing.how.maxRetransmit) {
      this.stop(outgoing);
      outgoing.sink.timedOut();
      return;
    }
    outgoing.waitMs *= outgoing.how.backoffFactor;
    this.#sendNow(outgoing);
  }

  #firstWait(how: Transmission): number {
    if (how.ackRandomFactor === 1) return how.ackTimeoutMs;
    return how.ackTimeoutMs * (1 + ((how.ackRandomFactor - 1) * this.#draw16()) / JITTER_STEPS);
  }

  #draw16(): number {
    const [high = 0, low = 0] = this.#random.bytes(2);
    return high * 256 + low;
  }
}

function noTimer(): void {
  // before the first sending there is nothing to stop
}
