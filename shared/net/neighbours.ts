import { equal } from "../bytes/index.ts";
import type { Clock, Unsubscribe } from "../ports/index.ts";

export interface NeighbourLimits {
  /** Known neighbours; the one used longest ago makes room. */
  readonly maxEntries: number;
  /** How long an answer is believed (RFC 1122, 2.3.2.1: of the order of a minute). */
  readonly lifetimeMs: number;
  /** Addresses being asked for at a time. */
  readonly maxPending: number;
  /** Packets kept for each of them; the oldest makes room (RFC 1122, 2.3.2.2 asks for one at least). */
  readonly maxQueued: number;
  /** Between two requests for an address (RFC 1122, 2.3.2.1: not more often than once a second). */
  readonly retryMs: number;
  readonly maxRequests: number;
}

export const NEIGHBOUR_LIMITS: NeighbourLimits = {
  maxEntries: 32,
  lifetimeMs: 60_000,
  maxPending: 16,
  maxQueued: 8,
  retryMs: 1_000,
  maxRequests: 3,
};

export interface NeighbourPorts {
  readonly clock: Clock;
  /** Broadcasts an ARP request. */
  request(address: string): void;
  transmit(mac: Uint8Array, packet: Uint8Array): void;
  dropped(reason: "arp-queue-full" | "arp-unanswered", count: number): void;
}

interface Entry {
  readonly mac: Uint8Array;
  readonly learntAt: number;
  /** Of our last request for it. */
  readonly askedAt: number;
}

interface Pending {
  readonly packets: Uint8Array[];
  requests: number;
  askedAt: number;
  cancel: Unsubscribe;
}

const NEVER_ASKED = { askedAt: Number.NEGATIVE_INFINITY } as const;

/** Who has which MAC address (RFC 826), with requests on demand. Expiry needs no timer, only open requests have one. */
export class Neighbours {
  readonly #ports: NeighbourPorts;
  readonly #limits: NeighbourLimits;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Map<string, Pending>();

  constructor(ports: NeighbourPorts, limits: NeighbourLimits) {
    this.#ports = ports;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What waits for neighbours to answer, by its name. */
  holdings(): Readonly<Record<string, number>> {
    const queues = [...this.#pending.values()].map(({ packets }) => packets.length);
    return {
      neighbours: this.#entries.size,
      "neighbours asked for": queues.length,
      "packets for a neighbour": Math.max(0, ...queues),
    };
  }

  /** Transmits now when the neighbour is known, else asks for it and transmits when it answers. */
  send(address: string, packet: Uint8Array): void {
    const entry = this.#fresh(address);
    if (entry === undefined) {
      this.#enqueue(address, packet);
    } else {
      this.#remember(address, entry);
      this.#ports.transmit(entry.mac, packet);
    }
  }

  /** Merges what an ARP packet says of its sender. `add` false only refreshes what is known or asked for (RFC 826, Packet Reception). */
  learn(address: string, mac: Uint8Array, add: boolean): void {
    const pending = this.#pending.get(address);
    const former = this.#fresh(address);
    if (!add && pending === undefined && former === undefined) return;
    const { askedAt } = pending ?? former ?? NEVER_ASKED;
    this.#remember(address, { mac: mac.slice(), learntAt: this.#ports.clock.now(), askedAt });
    if (pending === undefined) return;
    pending.cancel();
    this.#pending.delete(address);
    for (const packet of pending.packets) this.#ports.transmit(mac, packet);
  }

  /**
   * A packet of this neighbour came from `mac`: when that is not the one it told, one of them is wrong, and it is asked again. When it was asked
   * just now, what it told is believed: some send from another card than the one that they answer for.
   */
  heard(address: string, mac: Uint8Array): void {
    const entry = this.#entries.get(address);
    if (entry === undefined || equal(entry.mac, mac)) return;
    if (this.#ports.clock.now() - entry.askedAt >= this.#limits.retryMs) this.#entries.delete(address);
  }

  close(): void {
    for (const pending of this.#pending.values()) pending.cancel();
    this.#pending.clear();
    this.#entries.clear();
  }

  #fresh(address: string): Entry | undefined {
    const entry = this.#entries.get(address);
    if (entry === undefined || this.#ports.clock.now() - entry.learntAt < this.#limits.lifetimeMs) return entry;
    this.#entries.delete(address);
    return undefined;
  }

  #remember(address: string, entry: Entry): void {
    this.#entries.delete(address);
    this.#entries.set(address, entry);
    for (const eldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.maxEntries) return;
      this.#entries.delete(eldest);
    }
  }

  #enqueue(address: string, packet: Uint8Array): void {
    const pending = this.#pending.get(address);
    if (pending !== undefined) {
      pending.packets.push(packet);
      if (pending.packets.length <= this.#limits.maxQueued) return;
      pending.packets.shift();
      this.#ports.dropped("arp-queue-full", 1);
      return;
    }
    if (this.#pending.size >= this.#limits.maxPending) {
      this.#ports.dropped("arp-queue-full", 1);
      return;
    }
    const opened: Pending = { packets: [packet], requests: 0, ...NEVER_ASKED, cancel: () => undefined };
    this.#pending.set(address, opened);
    this.#ask(address, opened);
  }

  #ask(address: string, pending: Pending): void {
    if (pending.requests >= this.#limits.maxRequests) {
      this.#pending.delete(address);
      this.#ports.dropped("arp-unanswered", pending.packets.length);
      return;
    }
    pending.requests += 1;
    pending.askedAt = this.#ports.clock.now();
    // The timer first: on a link without delay the answer is back before `request` returns.
    pending.cancel = this.#ports.clock.after(this.#limits.retryMs, () => this.#ask(address, pending));
    this.#ports.request(address);
  }
}
