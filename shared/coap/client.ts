import { equal } from "../bytes/index.ts";
import type { Clock, Peer, Random } from "../ports/index.ts";
import { Code } from "./code.ts";
import { CoapError } from "./error.ts";
import type { ExchangeLayer } from "./exchange.ts";
import { type CoapMessage, MessageType, NO_BYTES, NO_OPTIONS } from "./message.ts";
import { Operation, type OperationHost } from "./operation.ts";
import type { Transmission } from "./parameters.ts";
import type { PeerRecord } from "./peers.ts";
import type { ClientRequest, CoapOutcome } from "./request.ts";

const TOKEN_BYTES = 8;

/** Ends a request: nothing is sent any more, its outcome is not told. */
export type Cancel = () => void;

/** The operations of one peer: those whose turn it is and those that wait for it. */
interface Turns {
  readonly active: Set<Operation>;
  readonly waiting: Operation[];
}

/**
 * The client's half of RFC 7252, section 5. NSTART (section 4.7) counts whole requests, from the first block up to the last down and while a
 * separate response is waited for: peers keep unfinished transfers only for a while, so none waits behind another once it has begun.
 */
export class CoapClient implements OperationHost {
  readonly layer: ExchangeLayer;
  readonly clock: Clock;
  readonly transmission: Transmission;
  readonly #random: Random;
  readonly #open = new Set<Operation>();
  readonly #turns = new Map<PeerRecord, Turns>();
  readonly #pings = new Set<(error: CoapError) => void>();
  #closed = false;

  constructor(layer: ExchangeLayer, clock: Clock, random: Random, transmission: Transmission) {
    this.layer = layer;
    this.clock = clock;
    this.#random = random;
    this.transmission = transmission;
  }

  get openRequests(): number {
    return this.#open.size;
  }

  start(to: Peer, request: ClientRequest, onDone: (outcome: CoapOutcome) => void): Cancel {
    if (this.#closed || this.#open.size >= this.layer.limits.openRequests) return this.#refuse(onDone);
    const peer = this.layer.peers.of(to);
    const operation = new Operation(this, peer, request, this.#random.bytes(TOKEN_BYTES), onDone);
    this.#open.add(operation);
    peer.inUse++;
    operation.begin();
    return () => operation.cancel();
  }

  /** An Empty confirmable message, which a living peer resets: RFC 7252, section 4.3. It does not wait for its turn. */
  ping(to: Peer, transmission: Partial<Transmission>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new CoapError("cancelled", "the endpoint is closed"));
        return;
      }
      const end = (settle: () => void) => () => {
        this.#pings.delete(reject);
        settle();
      };
      this.#pings.add(reject);
      const alive = end(resolve);
      const timedOut = end(() => reject(new CoapError("timeout", `ping to ${to.address}:${to.port}: no answer`)));
      this.layer.send(
        this.layer.peers.of(to),
        PING,
        { acknowledged: alive, answered: alive, reset: alive, timedOut },
        {
          ...this.transmission,
          ...transmission,
        },
      );
    });
  }

  /** RFC 7252, section 5.3.2: the request of this peer with this token. */
  separateResponse(peer: PeerRecord, message: CoapMessage): { accepted: boolean; taken: () => void } | undefined {
    for (const operation of this.#open) {
      if (operation.peer === peer && equal(operation.coapToken, message.coapToken)) {
        return { accepted: operation.understands(message), taken: () => operation.answeredSeparately(message) };
      }
    }
    return undefined;
  }

  close(): void {
    this.#closed = true;
    for (const operation of [...this.#open]) operation.fail("cancelled", "the endpoint was closed");
    for (const reject of this.#pings) reject(new CoapError("cancelled", "the endpoint was closed"));
    this.#pings.clear();
  }

  wantTurn(operation: Operation): void {
    let turns = this.#turns.get(operation.peer);
    if (turns === undefined) {
      turns = { active: new Set(), waiting: [] };
      this.#turns.set(operation.peer, turns);
    }
    if (turns.active.size >= this.layer.limits.nstart) {
      turns.waiting.push(operation);
      return;
    }
    turns.active.add(operation);
    operation.transmit();
  }

  endTurn(operation: Operation): void {
    const turns = this.#turns.get(operation.peer);
    if (turns === undefined) return;
    const waits = turns.waiting.indexOf(operation);
    if (waits >= 0) turns.waiting.splice(waits, 1);
    const next = turns.active.delete(operation) ? turns.waiting.shift() : undefined;
    if (next !== undefined) {
      turns.active.add(next);
      next.transmit();
    } else if (turns.active.size === 0 && turns.waiting.length === 0) {
      this.#turns.delete(operation.peer);
    }
  }

  ended(operation: Operation): void {
    if (this.#open.delete(operation)) operation.peer.inUse--;
  }

  /** Told later: `onDone` never runs before `start` returned. */
  #refuse(onDone: (outcome: CoapOutcome) => void): Cancel {
    const error = this.#closed
      ? new CoapError("cancelled", "the endpoint is closed")
      : new CoapError("busy", `${this.#open.size} requests are open`);
    return this.clock.after(0, () => onDone({ ok: false, error }));
  }
}

const PING = {
  type: MessageType.Con,
  code: Code.Empty,
  coapToken: NO_BYTES,
  options: NO_OPTIONS,
  payload: NO_BYTES,
} as const;
