import { equal } from "../bytes/index.ts";
import type { CoapMessage } from "./message.ts";
import type { PeerRecord } from "./peers.ts";

const MESSAGE_IDS = 0x1_0000;

/** A message that was received, and what was sent back for it. */
export interface Remembered {
  /** Peer and message id. */
  readonly key: number;
  readonly code: number;
  readonly coapToken: Uint8Array;
  readonly expiresAt: number;
  /** Sent again for a duplicate: the piggybacked response, the empty ACK or the RST. Undefined while there is none. */
  reply: Uint8Array | undefined;
}

/**
 * Duplicate detection: RFC 7252, section 4.5. A peer that started anew may come with a message id again; then code or token differ and the
 * message is taken as the new one that it is.
 */
export class DuplicateMemory {
  readonly #seen = new Map<number, Remembered>();
  /** The remembered ones in the order of their coming, in a circle. A map alone would look longer and longer for its oldest entry. */
  readonly #order: Remembered[] = [];
  readonly #max: number;
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  find(peer: PeerRecord, message: CoapMessage, now: number): Remembered | undefined {
    const seen = this.#seen.get(keyOf(peer, message.messageId));
    if (seen === undefined || seen.expiresAt <= now || seen.code !== message.code) return undefined;
    return equal(seen.coapToken, message.coapToken) ? seen : undefined;
  }

  add(peer: PeerRecord, message: CoapMessage, now: number, lifetimeMs: number): Remembered {
    const remembered: Remembered = {
      key: keyOf(peer, message.messageId),
      code: message.code,
      coapToken: message.coapToken,
      expiresAt: now + lifetimeMs,
      reply: undefined,
    };
    const oldest = this.#order[this.#next];
    if (oldest !== undefined && this.#seen.get(oldest.key) === oldest) this.#seen.delete(oldest.key);
    this.#order[this.#next] = remembered;
    this.#next = (this.#next + 1) % this.#max;
    this.#seen.set(remembered.key, remembered);
    return remembered;
  }
}

export function keyOf(peer: PeerRecord, messageId: number): number {
  return peer.id * MESSAGE_IDS + messageId;
}
