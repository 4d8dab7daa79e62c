import { equal } from "../bytes/index.ts";
import type { PeerRecord } from "./peers.ts";
import { RecordLog } from "./record-log.ts";
import { SlotIndex } from "./slot-index.ts";

const MESSAGE_IDS = 0x1_0000;

/** What is kept of a message to know it again: more than header, options and a block of the largest size take. */
const KEPT_BYTES = 2_048;

/** A message that was received: it may be forgotten meanwhile. */
export interface Remembered {
  readonly memory: DuplicateMemory;
  /** Counts on. */
  readonly number: number;
}

/**
 * Duplicate detection: RFC 7252, section 4.5. A peer that started anew may come with a message id again; then the message differs, and is taken
 * as the new one that it is. So nobody gets an answer again, from an address and port that were another's, who could not have asked for it.
 *
 * Messages stand in slots, taken in a circle: the oldest makes room. This is the one thing that every message leaves behind, so it is numbers and
 * bytes in arrays that stay: as objects, the last thousands of messages cost more than all else that is done for one.
 */
export class DuplicateMemory {
  readonly #max: number;
  readonly #index: SlotIndex;
  readonly #log = new RecordLog();
  readonly #expiresAt: Float64Array;
  readonly #sizes: Int32Array;
  /** Places in the log of the beginning of the datagram, and of the reply. */
  readonly #heads: Float64Array;
  readonly #replies: Float64Array;
  readonly #replySizes: Int32Array;
  #added = 0;

  constructor(max: number) {
    this.#max = max;
    this.#index = new SlotIndex(max);
    this.#expiresAt = new Float64Array(max);
    this.#sizes = new Int32Array(max);
    this.#heads = new Float64Array(max);
    this.#replies = new Float64Array(max);
    this.#replySizes = new Int32Array(max);
  }

  find(peer: PeerRecord, messageId: number, datagram: Uint8Array, now: number): Remembered | undefined {
    const slot = this.#index.find(keyOf(peer, messageId));
    if (slot === undefined || valueAt(this.#expiresAt, slot) <= now) return undefined;
    if (this.#sizes[slot] !== datagram.byteLength) return undefined;
    const head = beginningOf(datagram);
    if (!equal(this.#log.at(valueAt(this.#heads, slot), head.byteLength), head)) return undefined;
    const newest = this.#added - 1;
    return { memory: this, number: newest - ((newest - slot) % this.#max) };
  }

  add(peer: PeerRecord, messageId: number, datagram: Uint8Array, expiresAt: number): Remembered {
    const number = this.#added++;
    const slot = number % this.#max;
    if (number >= this.#max) this.#forget(slot);
    this.#index.put(slot, keyOf(peer, messageId));
    this.#expiresAt[slot] = expiresAt;
    this.#sizes[slot] = datagram.byteLength;
    this.#heads[slot] = this.#log.add(beginningOf(datagram));
    this.#replySizes[slot] = 0;
    return { memory: this, number };
  }

  /** To be sent again for a duplicate: the piggybacked response, the empty ACK or the RST. A copy; undefined while there is none. */
  reply({ number }: Remembered): Uint8Array | undefined {
    const slot = number % this.#max;
    const size = this.#isForgotten(number) ? 0 : valueAt(this.#replySizes, slot);
    return size === 0 ? undefined : this.#log.at(valueAt(this.#replies, slot), size).slice();
  }

  setReply({ number }: Remembered, reply: Uint8Array): void {
    if (this.#isForgotten(number)) return;
    const slot = number % this.#max;
    this.#dropReply(slot);
    this.#replies[slot] = this.#log.add(reply);
    this.#replySizes[slot] = reply.byteLength;
  }

  #isForgotten(number: number): boolean {
    return number < this.#added - this.#max;
  }

  #dropReply(slot: number): void {
    if (this.#replySizes[slot] !== 0) this.#log.drop(valueAt(this.#replies, slot));
  }

  #forget(slot: number): void {
    this.#index.remove(slot);
    this.#log.drop(valueAt(this.#heads, slot));
    this.#dropReply(slot);
  }
}

function valueAt(values: Float64Array | Int32Array, slot: number): number {
  return values[slot] ?? 0;
}

function beginningOf(datagram: Uint8Array): Uint8Array {
  return datagram.byteLength <= KEPT_BYTES ? datagram : datagram.subarray(0, KEPT_BYTES);
}

export function keyOf(peer: PeerRecord, messageId: number): number {
  return peer.id * MESSAGE_IDS + messageId;
}
