import type { Clock, DatagramPort, Log, Peer, Random, Unsubscribe } from "../ports/index.ts";
import { type Cancel, CoapClient } from "./client.ts";
import { CoapError } from "./error.ts";
import { type CoapCounters, ExchangeLayer } from "./exchange.ts";
import type { CoapHandler } from "./handler.ts";
import { type CoapLimits, DEFAULT_LIMITS, DEFAULT_TRANSMISSION, type Transmission } from "./parameters.ts";
import type { ClientRequest, CoapOutcome, CoapResponse } from "./request.ts";
import { CoapServer, type ServeOptions } from "./server.ts";

export interface EndpointOptions {
  readonly port: DatagramPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log | undefined;
  readonly limits?: Partial<CoapLimits> | undefined;
  /** For all messages sent, where a request does not say otherwise. */
  readonly transmission?: Partial<Transmission> | undefined;
  /**
   * Called for every valid message of a peer, pings and duplicates too, before it is dealt with. `ofItself` is false for what a peer sends only
   * because it was sent something: responses, ACKs, RSTs, and our own ping come back.
   */
  readonly onHeard?: ((peer: Peer, ofItself: boolean) => void) | undefined;
}

/** CoAP over one UDP port, client and server at once: RFC 7252, 7959, 8132. */
export interface CoapEndpoint {
  /** Replaces what served before. Without it requests are answered RST. */
  serve(handler: CoapHandler, options?: ServeOptions): void;
  /** Rejects with CoapError; an error code of the peer is a response. An aborted `signal` cancels. */
  request(to: Peer, request: ClientRequest & { readonly signal?: AbortSignal | undefined }): Promise<CoapResponse>;
  /**
   * The same without promises: `onDone` runs once, within the listener of the datagram or timer that decides, never before `start` returned,
   * and not at all after Cancel.
   */
  start(to: Peer, request: ClientRequest, onDone: (outcome: CoapOutcome) => void): Cancel;
  /** Resolves when the peer is there; rejects with CoapError. */
  ping(to: Peer, transmission?: Partial<Transmission>): Promise<void>;
  /**
   * Until the returned function is called, what is kept for this peer (transfers under way, messages remembered) is not pushed out by strangers,
   * nor, when it is held as "First", by others that are only "Held". Hold few: the limits count them, too, and when their transfers are in all
   * places, others get 5.03.
   */
  hold(peer: Peer, as?: "Held" | "First"): Unsubscribe;
  /**
   * Drops unfinished block-wise transfers of this peer: later blocks of what it was reading are not served any more. Nor is it told again from
   * memory what was revocable (CoapReply).
   */
  forget(peer: Peer): void;
  readonly counters: Readonly<CoapCounters>;
  /** How much each table and queue holds at present, by its name: for those who watch that bounds are kept. */
  holdings(): Readonly<Record<string, number>>;
  /** Stops all timers, fails open requests as cancelled, lets go of the port; who opened that closes it. */
  close(): void;
}

export function createEndpoint(options: EndpointOptions): CoapEndpoint {
  return new Endpoint(options);
}

interface Arrival {
  readonly datagram: Uint8Array;
  readonly from: Peer;
}

/** Datagrams that came while another was being dealt with, over a port that delivers synchronously. */
const MAX_ARRIVALS = 256;

class Endpoint implements CoapEndpoint {
  readonly #clock: Clock;
  readonly #layer: ExchangeLayer;
  readonly #client: CoapClient;
  readonly #server: CoapServer;
  readonly #unsubscribe: () => void;
  readonly #arrivals: Arrival[] = [];
  #entered = false;

  constructor({ port, clock, random, log, limits, transmission, onHeard }: EndpointOptions) {
    const how = { ...DEFAULT_TRANSMISSION, ...transmission };
    this.#clock = clock;
    const guarded: Clock = {
      now: () => clock.now(),
      after: (ms, run) => clock.after(ms, () => this.#enter(run)),
    };
    const layer = new ExchangeLayer({ port, clock: guarded, random, log }, how, { ...DEFAULT_LIMITS, ...limits });
    const client = new CoapClient(layer, guarded, random, how);
    this.#client = client;
    this.#layer = layer;
    const server = new CoapServer(layer, log);
    this.#server = server;
    layer.attach({
      request: (exchange) => server.receive(exchange),
      separateResponse: (peer, message) => client.separateResponse(peer, message),
      heard: onHeard ?? (() => undefined),
    });
    this.#unsubscribe = port.onDatagram((datagram, from) => this.#receive(datagram, from));
  }

  get counters(): Readonly<CoapCounters> {
    return this.#layer.counters;
  }

  serve(handler: CoapHandler, options: ServeOptions = {}): void {
    this.#server.serve(handler, options);
  }

  request(to: Peer, request: ClientRequest & { readonly signal?: AbortSignal | undefined }): Promise<CoapResponse> {
    const { signal, ...asked } = request;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(cancelled(signal));
        return;
      }
      const abort = () => {
        cancel();
        if (signal !== undefined) reject(cancelled(signal));
      };
      const cancel = this.start(to, asked, (outcome) => {
        signal?.removeEventListener("abort", abort);
        if (outcome.ok) resolve(outcome.response);
        else reject(outcome.error);
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  start(to: Peer, request: ClientRequest, onDone: (outcome: CoapOutcome) => void): Cancel {
    const cancel = this.#enterFromOutside(() => this.#client.start(to, request, onDone));
    return () => this.#enterFromOutside(cancel);
  }

  ping(to: Peer, transmission: Partial<Transmission> = {}): Promise<void> {
    return this.#client.ping(to, transmission);
  }

  hold(peer: Peer, as: "Held" | "First" = "Held"): Unsubscribe {
    return this.#layer.peers.of(peer).hold(as);
  }

  forget(peer: Peer): void {
    const record = this.#layer.peers.of(peer);
    record.era++;
    this.#server.forget(record);
  }

  holdings(): Readonly<Record<string, number>> {
    return {
      ...this.#layer.holdings(),
      ...this.#server.holdings(),
      "open requests": this.#client.openRequests,
      arrivals: this.#arrivals.length,
    };
  }

  close(): void {
    this.#unsubscribe();
    this.#arrivals.length = 0;
    this.#client.close();
    this.#layer.close();
  }

  #receive(datagram: Uint8Array, from: Peer): void {
    if (this.#arrivals.length < MAX_ARRIVALS) this.#arrivals.push({ datagram: plain(datagram), from });
    if (!this.#entered) this.#deal();
  }

  /** One thing is dealt with before the next: a port that delivers synchronously would otherwise nest a level for every block. */
  #enter(run: () => void): void {
    this.#entered = true;
    try {
      run();
    } finally {
      this.#entered = false;
    }
    this.#deal();
  }

  /** What the caller's call made arrive is dealt with after it returned. */
  #enterFromOutside<T>(run: () => T): T {
    const entered = this.#entered;
    this.#entered = true;
    try {
      return run();
    } finally {
      this.#entered = entered;
      if (!entered && this.#arrivals.length > 0) this.#clock.after(0, () => this.#deal());
    }
  }

  #deal(): void {
    if (this.#entered) return;
    this.#entered = true;
    try {
      for (let next = this.#arrivals.shift(); next !== undefined; next = this.#arrivals.shift()) {
        this.#layer.receive(next.datagram, next.from);
      }
    } finally {
      this.#entered = false;
    }
  }
}

/** Node's sockets deliver Buffers; views of one are Buffers again, and those do not compare equal to plain arrays. */
function plain(datagram: Uint8Array): Uint8Array {
  if (datagram.constructor === Uint8Array) return datagram;
  return new Uint8Array(datagram.buffer, datagram.byteOffset, datagram.byteLength);
}

function cancelled(signal: AbortSignal): CoapError {
  return new CoapError("cancelled", "the request was cancelled", { cause: signal.reason });
}
