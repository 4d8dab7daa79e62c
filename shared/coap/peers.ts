import type { Peer, Unsubscribe } from "../ports/index.ts";

/** What the endpoint knows of one peer. `id` is never used again, so keys made of it die with the record. */
export class PeerRecord {
  readonly id: number;
  readonly peer: Peer;
  /** Handlers, requests, transmissions and holders that need this record. */
  inUse = 0;
  /** Counts on each time that what was kept for this peer is forgotten: what it was told before is not told again. */
  era = 0;
  /** Who wants that strangers do not push out what is kept for this peer. */
  holders = 0;

  constructor(id: number, peer: Peer) {
    this.id = id;
    this.peer = peer;
  }
}

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

  hold(peer: Peer): Unsubscribe {
    const record = this.of(peer);
    let held = true;
    record.holders++;
    record.inUse++;
    return () => {
      if (!held) return;
      held = false;
      record.holders--;
      record.inUse--;
    };
  }

  #makeRoom(): void {
    if (this.#records.size < this.#max) return;
    for (const [key, record] of this.#records) {
      if (record.inUse > 0) continue;
      this.#records.delete(key);
      if (this.#last === record) this.#last = undefined;
      return;
    }
  }
}

/** Makes room in a table of transfers, idle longest first: strangers' before those of peers that are held. */
export function dropOldest(transfers: Map<string, { readonly peer: PeerRecord }>): void {
  const stranger = [...transfers].find(([, { peer }]) => peer.holders === 0);
  const [oldest] = stranger ?? [...transfers][0] ?? [];
  if (oldest !== undefined) transfers.delete(oldest);
}
