import { equal } from "../bytes/index.ts";
import { type CoapMessage, encodeMessage } from "./message.ts";
import type { PeerRecord } from "./peers.ts";
import { Slab } from "./slab.ts";

const MESSAGE_IDS = 0x1_0000;

/** What is kept of a message to know it again: more than header, options and a block of the largest size take. */
const KEPT_BYTES = 2_048;
const SMALLEST_HEAD_BYTES = 64;

/** A message that was received, and what was sent back for it. */
export interface Remembered {
  /** Peer and message id. */
  readonly key: number;
  /** Begins with a copy of the beginning of the datagram, so that no more than this is kept of it. */
  readonly head: Uint8Array;
  readonly sizeBytes: number;
  readonly expiresAt: number;
  /** Where `reply` lies. */
  readonly slab: Slab;
  /** Sent again for a duplicate: the piggybacked response, the empty ACK or the RST. Undefined while there is none. */
  reply: Uint8Array | undefined;
}

/** Encodes what answers it, and keeps that. */
export function setReply(remembered: Remembered, message: CoapMessage): Uint8Array {
  const reply = encodeMessage(message, remembered.slab);
  remembered.reply = reply;
  return reply;
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
  readonly #slab = new Slab();
  #next = 0;

  constructor(max: number) {
    this.#max = max;
  }

  find(peer: PeerRecord, messageId: number, datagram: Uint8Array, now: number): Remembered | undefined {
    const seen = this.#seen.get(keyOf(peer, messageId));
    if (seen === undefined || seen.expiresAt <= now || seen.sizeBytes !== datagram.byteLength) return undefined;
    const kept = beginningOf(datagram);
    return equal(seen.head.subarray(0, kept.byteLength), kept) ? seen : undefined;
  }

  add(peer: PeerRecord, messageId: number, datagram: Uint8Array, expiresAt: number): Remembered {
    const oldest = this.#order[this.#next];
    if (oldest !== undefined && this.#seen.get(oldest.key) === oldest) this.#seen.delete(oldest.key);
    const kept = beginningOf(datagram);
    const head = roomFor(kept.byteLength, oldest);
    head.set(kept);
    const remembered: Remembered = {
      key: keyOf(peer, messageId),
      head,
      sizeBytes: datagram.byteLength,
      expiresAt,
      slab: this.#slab,
      reply: undefined,
    };
    this.#order[this.#next] = remembered;
    this.#next = (this.#next + 1) % this.#max;
    this.#seen.set(remembered.key, remembered);
    return remembered;
  }
}

/** That of the one that is forgotten, if it is large enough: a head never leaves this file, a reply may still be on its way. */
function roomFor(sizeBytes: number, forgotten: Remembered | undefined): Uint8Array {
  if (forgotten !== undefined && forgotten.head.byteLength >= sizeBytes) return forgotten.head;
  let room = SMALLEST_HEAD_BYTES;
  while (room < sizeBytes) room *= 2;
  return new Uint8Array(room);
}

function beginningOf(datagram: Uint8Array): Uint8Array {
  return datagram.byteLength <= KEPT_BYTES ? datagram : datagram.subarray(0, KEPT_BYTES);
}

export function keyOf(peer: PeerRecord, messageId: number): number {
  return peer.id * MESSAGE_IDS + messageId;
}
