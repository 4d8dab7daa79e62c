import type { Clock, DatagramPort, Peer } from "../../shared/ports/index.ts";

export interface Sent {
  readonly datagram: Uint8Array;
  readonly from: Peer;
  readonly to: Peer;
}

/** What becomes of one datagram: after how many milliseconds its copies arrive; none is a loss, two a duplicate. */
export type Fate = (sent: Sent) => readonly number[];

/** UDP in memory. Without a clock a datagram arrives within `send`, however deep that nests; with one, at its time. */
export class DatagramNet {
  readonly sent: Sent[] = [];
  readonly #ports = new Map<string, Set<(datagram: Uint8Array, from: Peer) => void>>();
  readonly #clock: Clock | undefined;
  fate: Fate = () => [0];

  constructor(clock?: Clock) {
    this.#clock = clock;
  }

  /** Throws when the address is taken, as a socket does. */
  open(address: string, port: number): DatagramPort {
    const local: Peer = { address, port };
    const key = keyOf(local);
    if (this.#ports.has(key)) throw new Error(`${key} is in use`);
    const listeners = new Set<(datagram: Uint8Array, from: Peer) => void>();
    this.#ports.set(key, listeners);
    let open = true;
    return {
      local,
      send: (datagram, to) => {
        if (open) this.#carry({ datagram: datagram.slice(), from: local, to: { ...to } });
      },
      onDatagram(listener) {
        listeners.add(listener);
        return () => {
          listeners.delete(listener);
        };
      },
      close: async () => {
        open = false;
        this.#ports.delete(key);
      },
    };
  }

  #carry(sent: Sent): void {
    this.sent.push(sent);
    for (const delayMs of this.fate(sent)) {
      if (this.#clock === undefined) this.#arrive(sent);
      else this.#clock.after(delayMs, () => this.#arrive(sent));
    }
  }

  #arrive({ datagram, from, to }: Sent): void {
    for (const listener of [...(this.#ports.get(keyOf(to)) ?? [])]) listener(datagram.slice(), { ...from });
  }
}

function keyOf(peer: Peer): string {
  return `${peer.address}:${peer.port}`;
}
