import { equal } from "../bytes/index.ts";
import type { PeerRecord } from "./peers.ts";
import { RecordLog } from "./record-log.ts";
import { SlotIndex } from "./slot-index.ts";

const MESSAGE_IDS = 0x1_0000;

/** What is kept of a message to know it again: more than header, options and a block of the largest size take. */
const KEPT_BYTES = 2_048;

const FIRST_SLOTS = 64;

/** Head and Reply: places in the log, of the beginning of the datagram and of what answered it. */
const Field = { ExpiresAt: 0, Size: 1, Head: 2, Reply: 3, ReplySize: 4, Era: 5 } as const;
type Field = (typeof Field)[keyof typeof Field];
const ROW = 6;

/** Of what is known again in every era of its peer. */
const EVERY_ERA = -1;

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
  readonly #log = new RecordLog();
  /** Doubled up to #max as messages come. */
  #slots: number;
  #index: SlotIndex;
  /** Of each slot a row of numbers, see Field. */
  #rows: Float64Array;
  #added = 0;

  constructor(max: number) {
    this.#max = max;
    this.#slots = Math.min(max, FIRST_SLOTS);
    this.#index = new SlotIndex(this.#slots);
    this.#rows = new Float64Array(this.#slots * ROW);
  }

  /** Of what is kept of messages. */
  get bytes(): number {
    return this.#log.bytes;
  }

  find(peer: PeerRecord, messageId: number, datagram: Uint8Array, now: number): Remembered | undefined {
    const slot = this.#index.find(keyOf(peer, messageId));
    if (slot === undefined || this.#get(slot, Field.ExpiresAt) <= now) return undefined;
    if (this.#get(slot, Field.Size) !== datagram.byteLength) return undefined;
    const era = this.#get(slot, Field.Era);
    if (era !== EVERY_ERA && era !== peer.era) return undefined;
    const head = beginningOf(datagram);
    if (!equal(this.#log.at(this.#get(slot, Field.Head), head.byteLength), head)) return undefined;
    const newest = this.#added - 1;
    return { memory: this, number: newest - ((newest - slot) % this.#slots) };
  }

  add(peer: PeerRecord, messageId: number, datagram: Uint8Array, expiresAt: number): Remembered {
    return this.#put(keyOf(peer, messageId), datagram.byteLength, beginningOf(datagram), expiresAt);
  }

  /** So that it is known again from `other`, too, and answered as here. */
  copyTo(other: DuplicateMemory, { number }: Remembered): void {
    if (this.#isForgotten(number)) return;
    const slot = number % this.#slots;
    const size = this.#get(slot, Field.Size);
    const head = this.#log.at(this.#get(slot, Field.Head), Math.min(size, KEPT_BYTES));
    const copy = other.#put(this.#index.keyAt(slot), size, head, this.#get(slot, Field.ExpiresAt));
    const reply = this.#log.at(this.#get(slot, Field.Reply), this.#get(slot, Field.ReplySize));
    if (reply.byteLength > 0) other.setReply(copy, reply, this.#get(slot, Field.Era));
  }

  #put(key: number, size: number, head: Uint8Array, expiresAt: number): Remembered {
    const number = this.#added++;
    if (number === this.#slots && this.#slots < this.#max) this.#grow();
    const slot = number % this.#slots;
    if (number >= this.#slots) this.#forget(slot);
    this.#index.put(slot, key);
    this.#set(slot, Field.ExpiresAt, expiresAt);
    this.#set(slot, Field.Size, size);
    this.#set(slot, Field.Head, this.#log.add(head));
    this.#set(slot, Field.ReplySize, 0);
    this.#set(slot, Field.Era, EVERY_ERA);
    return { memory: this, number };
  }

  /** To be sent again for a duplicate: the piggybacked response, the empty ACK or the RST. A copy; undefined while there is none. */
  reply({ number }: Remembered): Uint8Array | undefined {
    const slot = number % this.#slots;
    const size = this.#isForgotten(number) ? 0 : this.#get(slot, Field.ReplySize);
    return size === 0 ? undefined : this.#log.at(this.#get(slot, Field.Reply), size).slice();
  }

  /** One that is for this `era` of the peer alone is forgotten with it, and its message, too. */
  setReply({ number }: Remembered, reply: Uint8Array, era: number = EVERY_ERA): void {
    if (this.#isForgotten(number)) return;
    const slot = number % this.#slots;
    this.#dropReply(slot);
    this.#set(slot, Field.Reply, this.#log.add(reply));
    this.#set(slot, Field.ReplySize, reply.byteLength);
    this.#set(slot, Field.Era, era);
  }

  #isForgotten(number: number): boolean {
    return number < this.#added - this.#slots;
  }

  #forget(slot: number): void {
    this.#index.remove(slot);
    this.#log.drop(this.#get(slot, Field.Head));
    this.#dropReply(slot);
  }

  #dropReply(slot: number): void {
    if (this.#get(slot, Field.ReplySize) > 0) this.#log.drop(this.#get(slot, Field.Reply));
  }

  /** Only while all slots hold the messages that came first: each stays where it is. */
  #grow(): void {
    const slots = Math.min(this.#max, 2 * this.#slots);
    const rows = new Float64Array(slots * ROW);
    rows.set(this.#rows);
    const index = new SlotIndex(slots);
    for (let slot = 0; slot < this.#slots; slot++) index.put(slot, this.#index.keyAt(slot));
    this.#slots = slots;
    this.#rows = rows;
    this.#index = index;
  }

  #get(slot: number, field: Field): number {
    return this.#rows[slot * ROW + field] ?? 0;
  }

  #set(slot: number, field: Field, value: number): void {
    this.#rows[slot * ROW + field] = value;
  }
}

function beginningOf(datagram: Uint8Array): Uint8Array {
  return datagram.byteLength <= KEPT_BYTES ? datagram : datagram.subarray(0, KEPT_BYTES);
}

export function keyOf(peer: PeerRecord, messageId: number): number {
  return peer.id * MESSAGE_IDS + messageId;
}
