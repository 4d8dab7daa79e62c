import type { UsbDevice } from "../../../shared/usb/index.ts";
import { type BulkPacket, isIn, MAX_TRANSFER_BYTES, RedirStatus } from "./bodies.ts";

const NO_DATA: Uint8Array = new Uint8Array(0);

export interface TransferLimits {
  /** Transfers under way at a time. */
  readonly transfers: number;
  /** Data of those among them that go to the device. */
  readonly heldBytes: number;
}

export const DEFAULT_TRANSFER_LIMITS: TransferLimits = { transfers: 256, heldBytes: 1 << 20 };

/** A transfer that the guest began, or how it ended. */
export interface Transfer {
  readonly id: bigint;
  readonly packet: BulkPacket;
}

const answer = ({ id, packet }: Transfer, status: number, length = 0, data = NO_DATA): Transfer => ({
  id,
  packet: { endpoint: packet.endpoint, status, length, data },
});

/** Bulk transfers under way: those of an endpoint in their order, each until the device has or takes the data. */
export class BulkTransfers {
  readonly #device: UsbDevice;
  readonly #limits: TransferLimits;
  readonly #queues = new Map<number, Transfer[]>();
  #count = 0;
  #heldBytes = 0;

  constructor(device: UsbDevice, limits: TransferLimits) {
    this.#device = device;
    this.#limits = limits;
  }

  /** Whether the device is to be asked again, because nothing will tell that it takes data now. */
  get mustRetry(): boolean {
    return [...this.#queues].some(([endpoint, queue]) => !isIn(endpoint) && queue.length > 0);
  }

  get count(): number {
    return this.#count;
  }

  /** How the transfer ended, when it did not begin: too many are under way. */
  begin(transfer: Transfer): Transfer | undefined {
    const { endpoint, data } = transfer.packet;
    const held = this.#heldBytes + data.byteLength;
    if (this.#count >= this.#limits.transfers || held > this.#limits.heldBytes) {
      return answer(transfer, RedirStatus.IoError);
    }
    const queue = this.#queues.get(endpoint);
    if (queue === undefined) this.#queues.set(endpoint, [transfer]);
    else queue.push(transfer);
    this.#count += 1;
    this.#heldBytes = held;
    return undefined;
  }

  /** The next transfer that ends now, with its end; undefined when the device makes all of them wait. */
  next(): Transfer | undefined {
    for (const queue of this.#queues.values()) {
      const first = queue[0];
      const ended = first === undefined ? undefined : this.#offer(first);
      // What the device did meanwhile may have ended it, or all of them.
      if (ended !== undefined && queue[0] === first) return this.#remove(queue, 0, ended);
    }
    return undefined;
  }

  /** Undefined when no such transfer is under way, for example because it has ended meanwhile. */
  cancel(id: bigint): Transfer | undefined {
    for (const queue of this.#queues.values()) {
      const at = queue.findIndex((transfer) => transfer.id === id);
      const found = queue[at];
      if (found !== undefined) return this.#remove(queue, at, answer(found, RedirStatus.Cancelled));
    }
    return undefined;
  }

  /** Ends all of them. */
  cancelAll(): readonly Transfer[] {
    const all = [...this.#queues.values()].flat();
    this.#queues.clear();
    this.#count = 0;
    this.#heldBytes = 0;
    return all.map((transfer) => answer(transfer, RedirStatus.Cancelled));
  }

  #offer(transfer: Transfer): Transfer | undefined {
    const { endpoint, length, data } = transfer.packet;
    if (isIn(endpoint)) {
      const got = this.#device.bulkIn(endpoint, Math.min(length, MAX_TRANSFER_BYTES));
      if (got === "nak") return undefined;
      if (got === "stall") return answer(transfer, RedirStatus.Stall);
      return answer(transfer, RedirStatus.Success, got.byteLength, got);
    }
    const taken = this.#device.bulkOut(endpoint, data);
    if (taken === "nak") return undefined;
    return taken === "stall"
      ? answer(transfer, RedirStatus.Stall)
      : answer(transfer, RedirStatus.Success, data.byteLength);
  }

  #remove(queue: Transfer[], at: number, ended: Transfer): Transfer {
    const [removed] = queue.splice(at, 1);
    this.#count -= 1;
    this.#heldBytes -= removed?.packet.data.byteLength ?? 0;
    return ended;
  }
}
