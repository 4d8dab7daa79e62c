import type { Clock, Peer, Random, Unsubscribe } from "../../shared/ports/index.ts";
import { SESSION_MS } from "../../shared/protocol/index.ts";
import type { TpmStart } from "../domain/appraisal.ts";
import type { ServerLimits } from "./limits.ts";
import { Session } from "./session.ts";

/** A peer is pinged each time it was silent for so long again. */
const PING_MS = 1_000;
/**
 * So long after its last request or ping a peer's answers to our pings keep its session when it has not shown that it receives what it is sent:
 * for somebody in whose name a datagram was forged would answer for ever. A TPM needs that time to make keys, or to open a credential.
 */
const UNSHOWN_MS = 60_000;
const TRIFLE_MS = 0.001;

/** The way to the peers of one port. */
export interface Door {
  readonly name: string;
  /** Undefined: silent peers are not pinged. */
  readonly ping: ((peer: Peer) => void) | undefined;
  /** What the peer was about to read or write in blocks is void, and what it alone was told is not told again. */
  readonly forget: (peer: Peer) => void;
  /**
   * Until the returned function is called, strangers do not push out what the peer reads or writes in blocks; nor, when it is held as "First", do
   * those who merely have a session.
   */
  readonly hold: (peer: Peer, as: "Held" | "First") => Unsubscribe;
}

interface Entry {
  readonly session: Session;
  readonly door: Door;
  readonly release: Unsubscribe;
  /** While it is attested. */
  releaseFirst: Unsubscribe;
  heardAt: number;
  /** Heard of itself, not answering. */
  spokeAt: number;
  stopTimer: Unsubscribe;
}

export interface SessionTableConfig {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ServerLimits;
  /** Told whenever it changes. */
  readonly onAttestedCount: (count: number) => void;
}

/** All sessions by port and peer, the least recently heard first. */
export class SessionTable {
  readonly #entries = new Map<string, Entry>();
  readonly #config: SessionTableConfig;
  #attested = 0;
  /** Of one request the session is asked for several times. */
  #asked: { readonly door: Door; readonly peer: Peer; readonly key: string } | undefined;

  constructor(config: SessionTableConfig) {
    this.#config = config;
  }

  get open(): number {
    return this.#entries.size;
  }

  /** Objects and grants of the session that has most of a kind. */
  holdings(): Readonly<Record<string, number>> {
    const most = { sessions: this.open, "objects of a session": 0, "grants of a session": 0 };
    for (const { eks, aiks, enrolments, attestations, grants } of this) {
      const objects = Math.max(eks.size, aiks.size, enrolments.size, attestations.size);
      most["objects of a session"] = Math.max(most["objects of a session"], objects);
      most["grants of a session"] = Math.max(most["grants of a session"], grants.size);
    }
    return most;
  }

  get attested(): number {
    return this.#attested;
  }

  *[Symbol.iterator](): IterableIterator<Session> {
    for (const { session } of this.#entries.values()) yield session;
  }

  find(door: Door, peer: Peer): Session | undefined {
    return this.#living(this.#keyOf(door, peer))?.session;
  }

  /** The peer said something valid: its session, if it has one, lives on. Not for ever by answers alone (UNSHOWN_MS). */
  heard(door: Door, peer: Peer, ofItself: boolean): void {
    const key = this.#keyOf(door, peer);
    const entry = this.#living(key);
    if (entry === undefined) return;
    const now = this.#config.clock.now();
    if (ofItself) entry.spokeAt = now;
    else if (!entry.session.receives && now - entry.spokeAt > UNSHOWN_MS) return;
    entry.heardAt = now;
    this.#entries.delete(key); // goes behind the others: heard last
    this.#entries.set(key, entry);
  }

  /** The peer's session, made when it has none; undefined when the table is full of attested ones. */
  ensure(door: Door, peer: Peer): Session | undefined {
    const key = this.#keyOf(door, peer);
    const found = this.#living(key);
    if (found !== undefined) return found.session;
    if (!this.#makeRoom()) return undefined;
    const { clock, random, limits } = this.#config;
    const session: Session = new Session(peer, random, limits, () => {
      door.forget(peer); // a read under way was for who was attested before
      entry.releaseFirst();
      const isFirst = session.attested !== undefined && this.#entries.get(key) === entry;
      entry.releaseFirst = isFirst ? door.hold(peer, "First") : nothing;
      this.#count();
    });
    const release = door.hold(peer, "Held");
    const now = clock.now();
    const entry: Entry = {
      ...{ session, door, release, releaseFirst: nothing, stopTimer: nothing },
      ...{ heardAt: now, spokeAt: now },
    };
    this.#entries.set(key, entry);
    this.#watch(key, entry);
    return session;
  }

  /** Ends those of one port, or all. */
  end(door?: Door): void {
    for (const [key, entry] of [...this.#entries]) if (door === undefined || entry.door === door) this.#end(key, entry);
  }

  /** No session speaks for this platform any more. */
  revoke(platformId: string): void {
    for (const session of this) if (session.attested?.id === platformId) session.attest(undefined);
  }

  /** Of this platform only those speak that its present start attested: the others are of a boot that is over. Not about `current`. */
  revokeFormer(platformId: string, start: TpmStart, current: Session): void {
    const thrown: unknown[] = [];
    for (const session of this) {
      if (session === current || !session.isOfAnotherStart(platformId, start)) continue;
      try {
        session.attest(undefined);
      } catch (error) {
        thrown.push(error); // whatever becomes of those who are told, the others end, too
      }
    }
    if (thrown.length > 0) throw thrown[0];
  }

  #keyOf(door: Door, peer: Peer): string {
    if (this.#asked?.door !== door || this.#asked.peer !== peer) this.#asked = { door, peer, key: keyOf(door, peer) };
    return this.#asked.key;
  }

  #living(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#config.clock.now() - entry.heardAt < SESSION_MS) return entry;
    this.#end(key, entry); // its timer is late
    return undefined;
  }

  /** The least recently heard session without attestation gives way: a flood ends no attested one. */
  #makeRoom(): boolean {
    if (this.#entries.size < this.#config.limits.sessions) return true;
    for (const [key, entry] of this.#entries) {
      if (entry.session.attested !== undefined) continue;
      this.#end(key, entry);
      return true;
    }
    return false;
  }

  /** One timer for each session, at full seconds of silence; messages do not touch it, it looks after them when it runs. */
  #watch(key: string, entry: Entry): void {
    const { clock } = this.#config;
    const dueAt = entry.heardAt + (periodsOf(clock.now() - entry.heardAt) + 1) * PING_MS;
    entry.stopTimer = clock.after(dueAt - clock.now(), () => {
      const silentMs = periodsOf(clock.now() - entry.heardAt) * PING_MS;
      if (silentMs >= SESSION_MS) {
        this.#end(key, entry);
        return;
      }
      this.#watch(key, entry);
      if (silentMs > 0) entry.door.ping?.(entry.session.peer);
    });
  }

  #end(key: string, { session, door, release, releaseFirst, stopTimer }: Entry): void {
    stopTimer();
    this.#entries.delete(key);
    releaseFirst();
    release();
    door.forget(session.peer);
    if (session.attested !== undefined) this.#count();
  }

  #count(): void {
    let attested = 0;
    for (const session of this) if (session.attested !== undefined) attested++;
    if (attested === this.#attested) return;
    this.#attested = attested;
    this.#config.onAttestedCount(attested);
  }
}

const nothing: Unsubscribe = () => undefined;

/** Full periods of silence. Clocks tell fractions of milliseconds, whose sums may fall short of a full one by a trifle. */
function periodsOf(silentMs: number): number {
  return Math.floor((silentMs + TRIFLE_MS) / PING_MS);
}

function keyOf({ name }: Door, { address, port }: Peer): string {
  return `${name} ${address}:${port}`;
}
