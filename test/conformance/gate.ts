import { CodecError } from "../../shared/bytes/index.ts";
import { type CoapMessage, decodeMessage } from "../../shared/coap/index.ts";
import type { Clock, DatagramPort, Peer } from "../../shared/ports/index.ts";

export type Direction = "to-token" | "from-token";

export interface Seen {
  readonly at: number;
  readonly direction: Direction;
  readonly datagram: Uint8Array;
  /** Undefined: no CoAP message. */
  readonly message: CoapMessage | undefined;
}

/** What becomes of a datagram: "pass", or lost. `n` counts those of its direction from 0. */
export type Fate = (direction: Direction, n: number, message: CoapMessage | undefined) => "pass" | "lose";

/** A peer's UDP port whose wire can be watched, cut and made lossy. */
export class Gate implements DatagramPort {
  readonly seen: Seen[] = [];
  /** Nothing goes through, either way. */
  shut = false;
  fate: Fate = () => "pass";
  /** What the peer gets instead of what the token sent. */
  change: (datagram: Uint8Array) => Uint8Array = (datagram) => datagram;
  readonly #port: DatagramPort;
  readonly #clock: Clock;
  readonly #count: Record<Direction, number> = { "to-token": 0, "from-token": 0 };

  constructor(port: DatagramPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  get local(): Peer {
    return this.#port.local;
  }

  send(datagram: Uint8Array, to: Peer): void {
    if (this.#passes("to-token", datagram)) this.#port.send(datagram, to);
  }

  onDatagram(listener: (datagram: Uint8Array, from: Peer) => void): () => void {
    return this.#port.onDatagram((datagram, from) => {
      if (this.#passes("from-token", datagram)) listener(this.change(datagram), from);
    });
  }

  close(): Promise<void> {
    return this.#port.close();
  }

  #passes(direction: Direction, datagram: Uint8Array): boolean {
    const message = messageOf(datagram);
    this.seen.push({ at: this.#clock.now(), direction, datagram, message });
    return !this.shut && this.fate(direction, this.#count[direction]++, message) === "pass";
  }
}

function messageOf(datagram: Uint8Array): CoapMessage | undefined {
  try {
    return decodeMessage(datagram);
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
