import { CodecError, concat, decode, Reader } from "../bytes/index.ts";
import { EemPacket, packetBytes, WRONG_CRC } from "./packet.ts";

export interface EemReceiverOptions {
  /**
   * The endpoint's packet size, when `feed` may get the USB packets of a transfer one by one: a transfer then ends with the
   * first that is shorter. Without it each `feed` is a whole transfer.
   */
  readonly usbPacketBytes?: number;
}

export interface EemReceiverCounters {
  packets: number;
  zeroLength: number;
  wrongCrc: number;
  /** Headers that cannot be one: the rest of the transfer is lost. */
  malformed: number;
  /** Times that the begin of a packet was given up because what followed in the next transfer did not fit. */
  abandoned: number;
}

type Step =
  | { readonly kind: "packet"; readonly packet: EemPacket; readonly left: Uint8Array }
  | { readonly kind: "wrong-crc"; readonly left: Uint8Array }
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed" };

const NOTHING = new Uint8Array(0);

/**
 * EEM packets out of bulk transfers, split and joined at any byte. Trouble never lasts: behind a header that cannot be one,
 * reading goes on with the next transfer; and when a packet that continues from an earlier transfer turns out wrong, its begin
 * is taken for a leftover and this transfer is read as one that begins with a packet, also when it came in several USB packets
 * until then. An echo has no CRC: none turns out wrong. Keeps less than one packet.
 */
export class EemReceiver {
  readonly counters: EemReceiverCounters = { packets: 0, zeroLength: 0, wrongCrc: 0, malformed: 0, abandoned: 0 };
  readonly #usbPacketBytes: number | undefined;
  #carry: Uint8Array = NOTHING;
  /** How many bytes of the carry came before this transfer; what follows them is this transfer from its start. */
  #formerBytes = 0;
  #atTransferStart = true;
  #skipping = false;

  constructor(options: EemReceiverOptions = {}) {
    this.#usbPacketBytes = options.usbPacketBytes;
  }

  /** Of a packet that is not whole yet. */
  get carriedBytes(): number {
    return this.#carry.byteLength;
  }

  /** The packets that are whole now, without those of zero length. Their contents are copies. */
  feed(chunk: Uint8Array): readonly EemPacket[] {
    const startsTransfer = this.#atTransferStart;
    this.#atTransferStart =
      this.#usbPacketBytes === undefined || chunk.byteLength === 0 || chunk.byteLength % this.#usbPacketBytes !== 0;
    if (startsTransfer) {
      this.#skipping = false;
      this.#formerBytes = this.#carry.byteLength;
    }
    return this.#skipping ? [] : this.#continue(chunk);
  }

  /** Forgets the begin of a packet: the bus was reset. */
  reset(): void {
    this.#carry = NOTHING;
    this.#atTransferStart = true;
    this.#skipping = false;
  }

  #continue(chunk: Uint8Array): readonly EemPacket[] {
    const bytes = concat(this.#carry, chunk);
    this.#carry = NOTHING;
    const formerBytes = this.#formerBytes;
    if (formerBytes === 0) return this.#read(bytes);
    const { kind } = nextPacket(bytes);
    if (kind !== "incomplete") this.#formerBytes = 0;
    if (kind !== "malformed" && kind !== "wrong-crc") return this.#read(bytes);
    this.counters.abandoned += 1;
    return this.#read(bytes.slice(formerBytes));
  }

  #read(bytes: Uint8Array): readonly EemPacket[] {
    const packets: EemPacket[] = [];
    let left = bytes;
    while (left.byteLength > 0) {
      const step = nextPacket(left);
      if (step.kind === "incomplete") {
        this.#carry = left;
        break;
      }
      if (step.kind === "malformed") {
        this.counters.malformed += 1;
        this.#skipping = true;
        break;
      }
      left = step.left;
      if (step.kind === "wrong-crc") this.counters.wrongCrc += 1;
      else if (step.packet.kind === "zero-length") this.counters.zeroLength += 1;
      else packets.push(step.packet);
    }
    this.counters.packets += packets.length;
    return packets;
  }
}

function nextPacket(bytes: Uint8Array): Step {
  const from = new Reader(bytes);
  try {
    const size = packetBytes(new Reader(bytes));
    if (size === undefined || size > bytes.byteLength) return { kind: "incomplete" };
    const packet = decode(EemPacket, from.bytes(size));
    return { kind: "packet", packet, left: from.rest() };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    // With a wrong CRC the packet was already taken: only its contents are in doubt, not where it ends.
    return error.problem === WRONG_CRC ? { kind: "wrong-crc", left: from.rest() } : { kind: "malformed" };
  }
}
