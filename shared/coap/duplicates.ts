import { equal } from "../bytes/index.ts";
import type { PeerRecord } from "./peers.ts";

const MESSAGE_IDS = 0x1_0000;

/** What is kept of a message to know it again: more than header, options and a block of the largest size take. */
const KEPT_BYTES = 2_048;

/** A message as it came. */
export interface Received {
  readonly messageId: number;
  readonly datagram: Uint8Array;
}

/** A message that was received, and what was sent back for it. */
export interface Remembered {
  /** Peer and message id. */
  readonly key: number;
  /** The beginning of the datagram; a copy, so that no more than this is kept of it. */
  readonly head: Uint8Array;
  readonly sizeBytes: number;
  readonly expiresAt: number;
  /** Sent again for a duplicate: the piggybacked response, the empty ACK or the RST. Undefined while there is none. */
  reply: Uint8Array | undefined;
}

/**
 * Duplicate detection: RFC 7252, section 4.5. A peer that started anew may come with a message id again; then the message differs, and is taken
 * as the new one that it is. So nobody gets an answer again, from an address and port that were another's, who could not have asked for it.
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

  find(peer: PeerRecord, { messageId, datagram }: Received, now: number): Remembered | undefined {
    const seen = this.#seen.get(keyOf(peer, messageId));
    if (seen === undefined || seen.expiresAt <= now || seen.sizeBytes !== datagram.byteLength) return undefined;
    return equal(seen.head, datagram.subarray(0, KEPT_BYTES)) ? seen : undefined;
  }

  add(peer: PeerRecord, { messageId, datagram }: Received, now: number, lifetimeMs: number): Remembered {
    const remembered: Remembered = {
      key: keyOf(peer, messageId),
      head: datagram.slice(0, KEPT_BYTES),
      sizeBytes: datagram.byteLength,
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
