import type { Host } from "../../shared/net/index.ts";
import type { Clock, DatagramPort, Peer, Unsubscribe } from "../../shared/ports/index.ts";
import { SESSION_MS } from "../../shared/protocol/index.ts";

/** Ports that the emulated computer may have open for programs outside. */
export const MAX_LINES = 64;
/** Longer than any exchange of CoAP waits for its next datagram (RFC 7252, 4.8.2: 45 s from the first sending to the last). */
const IDLE_MS = 60_000;

interface Line {
  readonly inside: DatagramPort;
  readonly peer: Peer;
  lastAt: number;
  /** It spoke more than once. */
  settled: boolean;
}

export interface SwitchboardConfig {
  /** The emulated computer. */
  readonly computer: Host;
  /** Where programs of this machine send to. */
  readonly outside: DatagramPort;
  /** Whom the emulated computer asks for them. */
  readonly token: Peer;
  readonly clock: Clock;
  readonly maxLines?: number;
}

/**
 * Passes datagrams on between many programs outside and the one token inside. The token tells its peers apart by port, so
 * each gets a port of its own on the emulated computer. When there are too many, who spoke least recently gives way, before
 * all others among those who spoke only once, and nobody who goes on speaking, as an attested session does, which the token asks every second or
 * so: a flood of strangers cuts no conversation. Newcomers wait then.
 */
export class Switchboard {
  readonly #config: SwitchboardConfig;
  readonly #maxLines: number;
  /** The least recently used first. */
  readonly #lines = new Map<string, Line>();
  readonly #stopListening: Unsubscribe;
  #stopSweeping: Unsubscribe = () => undefined;

  constructor(config: SwitchboardConfig) {
    this.#config = config;
    this.#maxLines = config.maxLines ?? MAX_LINES;
    this.#stopListening = config.outside.onDatagram((datagram, from) => this.#inward(datagram, from));
  }

  get lines(): number {
    return this.#lines.size;
  }

  close(): void {
    this.#stopListening();
    this.#stopSweeping();
    for (const key of [...this.#lines.keys()]) this.#drop(key);
  }

  #inward(datagram: Uint8Array, peer: Peer): void {
    const key = `${peer.address}:${peer.port}`;
    const known = this.#lines.get(key);
    const line = known ?? this.#open(key, peer);
    if (line === undefined) return;
    if (known !== undefined) {
      line.settled = true;
      this.#lines.delete(key); // goes behind the others
      this.#lines.set(key, line);
    }
    line.lastAt = this.#config.clock.now();
    line.inside.send(datagram, this.#config.token);
  }

  /** Undefined when all others are in conversation. */
  #open(key: string, peer: Peer): Line | undefined {
    if (this.#lines.size >= this.#maxLines && !this.#makeRoom()) return undefined;
    const { computer, outside, token, clock } = this.#config;
    const inside = computer.udp();
    inside.onDatagram((datagram, from) => {
      if (from.address === token.address && from.port === token.port) outside.send(datagram, peer);
    });
    const line: Line = { inside, peer, lastAt: clock.now(), settled: false };
    this.#lines.set(key, line);
    if (this.#lines.size === 1) this.#sweepLater();
    return line;
  }

  #makeRoom(): boolean {
    const lines = [...this.#lines];
    const silentSince = this.#config.clock.now() - SESSION_MS;
    const [key] =
      lines.find(([, { settled }]) => !settled) ?? lines.find(([, { lastAt }]) => lastAt <= silentSince) ?? [];
    if (key !== undefined) this.#drop(key);
    return key !== undefined;
  }

  #drop(key: string): void {
    void this.#lines.get(key)?.inside.close();
    this.#lines.delete(key);
  }

  #sweepLater(): void {
    const { clock } = this.#config;
    this.#stopSweeping = clock.after(IDLE_MS, () => {
      for (const [key, { lastAt }] of [...this.#lines]) if (clock.now() - lastAt >= IDLE_MS) this.#drop(key);
      if (this.#lines.size > 0) this.#sweepLater();
    });
  }
}
