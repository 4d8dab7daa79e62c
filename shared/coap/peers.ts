import type { Peer, Unsubscribe } from "../ports/index.ts";

/** What the endpoint knows of one peer. `id` is never used again, so keys made of it die with the record. */
export class PeerRecord {
  readonly id: number;
  readonly peer: Peer;
  /** Handlers, requests, transmissions and holders that need this record. */
  inUse = 0;
  /** Counts on each time that what was kept for this peer is forgotten: what it alone was told before is not told again. */
  era = 0;
  /** Who wants that those of a lower standing do not push out what is kept for this peer: how many of each. */
  readonly #holders = { held: 0, first: 0 };

  constructor(id: number, peer: Peer) {
    this.id = id;
    this.peer = peer;
  }

  get standing(): Standing {
    const { held, first } = this.#holders;
    return first > 0 ? Standing.First : held > 0 ? Standing.Held : Standing.Stranger;
  }

  /** Until the returned function is called. */
  hold(as: Exclude<keyof typeof Standing, "Stranger">): Unsubscribe {
    const holders = this.#holders;
    const which = as === "First" ? "first" : "held";
    let isHeld = true;
    holders[which]++;
    this.inUse++;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      holders[which]--;
      this.inUse--;
    };
  }
}

/** Who makes room for whom: the lower for the higher. */
export const Standing = { Stranger: 0, Held: 1, First: 2 } as const;
export type Standing = (typeof Standing)[keyof typeof Standing];

/** Peers by address and port; the one idle longest makes room. */
export class PeerTable {
  readonly #records = new Map<string, PeerRecord>();
  readonly #max: number;
  #made = 0;
  #last: PeerRecord | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#records.size;
  }

  of(peer: Peer): PeerRecord {
    const last = this.#last;
    if (last !== undefined && last.peer.port === peer.port && last.peer.address === peer.address) return last;
    const key = `${peer.address}:${peer.port}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      this.#makeRoom();
      record = new PeerRecord(++this.#made, { address: peer.address, port: peer.port });
    } else {
      this.#records.delete(key); // goes behind the others: used last
    }
    this.#records.set(key, record);
    this.#last = record;
    return record;
  }

  /** Also the room that those in use took beyond the limit. */
  #makeRoom(): void {
    if (this.#records.size < this.#max) return;
    for (const [key, record] of this.#records) {
      if (record.inUse > 0) continue;
      this.#records.delete(key);
      if (this.#last === record) this.#last = undefined;
      if (this.#records.size < this.#max) return;
    }
  }
}

interface Transfer {
  readonly peer: PeerRecord;
  readonly touchedAt: number;
  /** Of a response: its last block went out. */
  readonly isRead?: boolean;
}

/** How many there may be at the same time, of all peers and of one, and how long one is waited for. */
interface TransferLimits {
  readonly most: number;
  readonly mostOfPeer: number;
  readonly lifetimeMs: number;
}

/**
 * Makes room for one more of a table of transfers: of this peer's when it has its share, else of all. What was read to its end or idle too long
 * goes first, whoever it was for, then those of the lowest standing; of these the one idle longest. False: all are of a higher standing than `peer`.
 */
export function makeRoom(
  transfers: Map<string, Transfer>,
  peer: PeerRecord,
  { most, mostOfPeer, lifetimeMs }: TransferLimits,
  now: number,
): boolean {
  const all = [...transfers];
  const own = all.filter(([, transfer]) => transfer.peer === peer);
  if (own.length < mostOfPeer && all.length < most) return true;
  const rankOf = (transfer: Transfer) =>
    transfer.isRead === true || now - transfer.touchedAt > lifetimeMs ? DISPENSABLE : transfer.peer.standing;
  const candidates = own.length >= mostOfPeer ? own : all;
  const lowest = Math.min(...candidates.map(([, transfer]) => rankOf(transfer)));
  if (lowest > peer.standing) return false;
  const [key] = candidates.find(([, transfer]) => rankOf(transfer) === lowest) ?? [];
  if (key !== undefined) transfers.delete(key);
  return true;
}

/** Below all standings. */
const DISPENSABLE = -1;
