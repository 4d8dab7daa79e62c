import type { DatagramPort, Peer, Unsubscribe } from "../ports/index.ts";

export interface UdpPortsOptions {
  readonly address: string;
  /** First of the ports that are handed out unasked, up to 65535 (RFC 6335, 6: 49152). */
  readonly ephemeralFrom: number;
  readonly maxPorts: number;
  send(datagram: Uint8Array, from: Peer, to: Peer): void;
}

type Listener = (datagram: Uint8Array, from: Peer) => void;

const LAST_PORT = 0xffff;

/** The bound UDP ports of one address. */
export class UdpPorts {
  readonly #options: UdpPortsOptions;
  readonly #bound = new Map<number, Set<Listener>>();
  #nextEphemeral: number;

  constructor(options: UdpPortsOptions) {
    this.#options = options;
    this.#nextEphemeral = options.ephemeralFrom;
  }

  /** RangeError when the port is taken or out of range, or `maxPorts` are open: the caller has a bug. */
  bind(asked: number | undefined): DatagramPort {
    const { address, maxPorts, send } = this.#options;
    if (this.#bound.size >= maxPorts) throw new RangeError(`${maxPorts} UDP ports are open already`);
    const port = asked ?? this.#ephemeral();
    if (!Number.isInteger(port) || port < 1 || port > LAST_PORT) throw new RangeError(`${port} is not a UDP port`);
    if (this.#bound.has(port)) throw new RangeError(`UDP port ${port} of ${address} is taken`);
    const listeners = new Set<Listener>();
    this.#bound.set(port, listeners);
    const local: Peer = { address, port };
    const isOpen = () => this.#bound.get(port) === listeners;
    return {
      local,
      send(datagram, to) {
        if (isOpen()) send(datagram, local, to);
      },
      onDatagram: (listener) => subscribe(listeners, listener),
      close: async () => {
        listeners.clear();
        if (isOpen()) this.#bound.delete(port);
      },
    };
  }

  /** False when the port is closed. A bound port without a listener swallows the datagram. */
  deliver(port: number, datagram: Uint8Array, from: Peer): boolean {
    const listeners = this.#bound.get(port);
    if (listeners === undefined) return false;
    for (const listener of [...listeners]) listener(datagram, from);
    return true;
  }

  close(): void {
    for (const listeners of this.#bound.values()) listeners.clear();
    this.#bound.clear();
  }

  #ephemeral(): number {
    for (let tries = this.#bound.size; tries >= 0; tries--) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === LAST_PORT ? this.#options.ephemeralFrom : port + 1;
      if (!this.#bound.has(port)) return port;
    }
    throw new RangeError("no ephemeral UDP port is free");
  }
}

/** Adds a listener of its own even when the same function is added twice. */
function subscribe(listeners: Set<Listener>, listener: Listener): Unsubscribe {
  const own: Listener = (datagram, from) => listener(datagram, from);
  listeners.add(own);
  return () => {
    listeners.delete(own);
  };
}
