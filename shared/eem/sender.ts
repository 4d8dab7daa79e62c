import { concat, encode, Reader } from "../bytes/index.ts";
import { EemPacket } from "./packet.ts";

/** What Linux reads at a time. A packet that lies in two transfers is lost there. */
export const MAX_TRANSFER_BYTES = 1_524;
const PADDING = encode(EemPacket, { kind: "zero-length" });

export interface EemSenderOptions {
  /** The endpoint's packet size; a transfer is never a multiple of it, so that its end shows. Default 64 (full speed). */
  readonly usbPacketBytes?: number;
  /** Whether several packets may share a transfer. Default true. */
  readonly bundle?: boolean;
  /** Packets waiting at a time; beyond that the oldest is lost. Default 64. */
  readonly maxQueued?: number;
  /** Where a transfer's padding goes. Linux pads `behind`, the default, but reads a real CRC wrongly when anything follows it. */
  readonly padding?: EemPadding;
}

export type EemPadding = "before" | "behind";

/** EEM packets into bulk transfers of at most 1524 bytes: none split, padded with a zero-length packet where needed. */
export class EemSender {
  /** Packets lost because nobody fetched them. */
  lost = 0;
  readonly #usbPacketBytes: number;
  readonly #bundle: boolean;
  readonly #maxQueued: number;
  readonly #padding: EemPadding;
  readonly #queue: Uint8Array[] = [];
  /** What is left of a transfer of which the bus has taken a part. */
  #begun: Uint8Array | undefined;

  constructor(options: EemSenderOptions = {}) {
    this.#usbPacketBytes = options.usbPacketBytes ?? 64;
    this.#bundle = options.bundle ?? true;
    this.#maxQueued = options.maxQueued ?? 64;
    this.#padding = options.padding ?? "behind";
  }

  get pending(): boolean {
    return this.#begun !== undefined || this.#queue.length > 0;
  }

  /** Packets that nobody has fetched yet. */
  get queued(): number {
    return this.#queue.length;
  }

  /** False when the packet is longer than a transfer may be; then it is not sent. */
  push(packet: EemPacket): boolean {
    const bytes = encode(EemPacket, packet);
    if (this.#padded([bytes]).byteLength > MAX_TRANSFER_BYTES) return false;
    this.#queue.push(bytes);
    if (this.#queue.length > this.#maxQueued) {
      this.#queue.shift();
      this.lost += 1;
    }
    return true;
  }

  /**
   * The next transfer; undefined when there is nothing to send. When it is longer than `maxBytes`, the rest follows at the
   * next calls: for the bus it is still one transfer.
   */
  take(maxBytes = MAX_TRANSFER_BYTES): Uint8Array | undefined {
    const transfer = this.#begun ?? this.#next(maxBytes);
    if (transfer === undefined) return undefined;
    const from = new Reader(transfer);
    const part = from.bytes(Math.min(maxBytes, transfer.byteLength));
    this.#begun = from.remaining > 0 ? from.rest() : undefined;
    return part;
  }

  /** Drops what is left of a transfer of which the bus has taken a part: its host has thrown that away. */
  abandon(): void {
    this.#begun = undefined;
  }

  reset(): void {
    this.#queue.length = 0;
    this.#begun = undefined;
  }

  #next(maxBytes: number): Uint8Array | undefined {
    const first = this.#queue.shift();
    if (first === undefined) return undefined;
    const packets = [first];
    const limit = Math.min(maxBytes, MAX_TRANSFER_BYTES);
    while (this.#bundle) {
      const next = this.#queue[0];
      if (next === undefined || this.#padded([...packets, next]).byteLength > limit) break;
      packets.push(next);
      this.#queue.shift();
    }
    return this.#padded(packets);
  }

  #padded(packets: readonly Uint8Array[]): Uint8Array {
    const transfer = concat(...packets);
    if (transfer.byteLength % this.#usbPacketBytes !== 0) return transfer;
    return this.#padding === "before" ? concat(PADDING, transfer) : concat(transfer, PADDING);
  }
}
