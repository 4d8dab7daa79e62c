import type { Clock, Unsubscribe } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";

/** How often data is offered that the device did not take; on a bus of wires the host controller does so all the time. */
const NAK_RETRY_MS = 1;

export interface OutTransfer {
  readonly kind: "out";
  /** Address of the endpoint. */
  readonly ep: number;
  readonly data: Uint8Array;
  /** A zero-length packet follows data that fills its last packet (URB_ZERO_PACKET of Linux). */
  readonly zeroPacket: boolean;
  done(result: "ok" | "stall"): void;
}

export interface InTransfer {
  readonly kind: "in";
  readonly ep: number;
  /** Size of the host's buffer. */
  readonly max: number;
  done(result: Uint8Array | "stall"): void;
}

export type Transfer = OutTransfer | InTransfer;

/**
 * Bulk transfers of a bus that carries them whole, as its host sees them: those of one endpoint one after another, pending while
 * the device says "nak". `done` is called inside other calls, never inside one of the device. How many are pending is for the
 * caller to bound.
 */
export class DeviceTransfers {
  readonly #device: UsbDevice;
  readonly #clock: Clock;
  readonly #ignoreReady: Unsubscribe;
  /** By the endpoint's address; the first of each is tried. */
  readonly #queues = new Map<number, Transfer[]>();
  /** Of these the device has the data, and only the zero-length packet is missing. */
  readonly #begun = new Set<OutTransfer>();
  #cancelRetry: Unsubscribe | undefined;
  #moving = false;
  #again = false;
  #open = true;

  constructor(device: UsbDevice, clock: Clock) {
    this.#device = device;
    this.#clock = clock;
    this.#ignoreReady = device.onInReady(() => this.#move());
  }

  get pending(): number {
    let sum = 0;
    for (const queue of this.#queues.values()) sum += queue.length;
    return sum;
  }

  submit(transfer: Transfer): void {
    if (!this.#open) return;
    const queue = this.#queues.get(transfer.ep);
    if (queue === undefined) this.#queues.set(transfer.ep, [transfer]);
    else queue.push(transfer);
    this.#move();
  }

  /** Takes it back; false when it was done already. Its `done` is not called. */
  cancel(transfer: Transfer): boolean {
    const queue = this.#queues.get(transfer.ep) ?? [];
    const at = queue.indexOf(transfer);
    if (at < 0) return false;
    queue.splice(at, 1);
    if (transfer.kind === "out") this.#begun.delete(transfer);
    return true;
  }

  /** To be called after whatever may have woken the device: a control transfer, a bus event. */
  wake(): void {
    this.#move();
  }

  /** Forgets all that is pending. */
  close(): void {
    this.#open = false;
    this.#ignoreReady();
    this.#cancelRetry?.();
    this.#queues.clear();
    this.#begun.clear();
  }

  #move(): void {
    this.#again = true;
    if (this.#moving) return;
    this.#moving = true;
    try {
      while (this.#again && this.#open) {
        this.#again = false;
        for (const queue of [...this.#queues.values()]) {
          if (this.#moveFirst(queue)) this.#again = true;
        }
      }
    } finally {
      this.#moving = false;
    }
  }

  /** Whether the first of the queue is done. */
  #moveFirst(queue: Transfer[]): boolean {
    const first = queue[0];
    if (first === undefined || !this.#open) return false;
    if (first.kind === "in") {
      const result = this.#device.bulkIn(first.ep, first.max);
      if (result === "nak" || !this.cancel(first)) return false;
      first.done(result);
      return true;
    }
    const result = this.#offer(first);
    if (result === "nak" || !this.cancel(first)) return false;
    first.done(result);
    return true;
  }

  #offer(transfer: OutTransfer): "ok" | "stall" | "nak" {
    const parts = this.#begun.has(transfer) ? [] : [transfer.data];
    if (transfer.zeroPacket && this.#fillsItsPackets(transfer)) parts.push(new Uint8Array(0));
    for (const part of parts) {
      const answer = this.#device.bulkOut(transfer.ep, part);
      if (answer === "stall") return answer;
      if (answer === "nak") {
        this.#retryLater();
        return answer;
      }
      this.#begun.add(transfer);
    }
    return "ok";
  }

  #fillsItsPackets({ ep, data }: OutTransfer): boolean {
    const { interfaces } = this.#device.descriptors.configuration;
    const endpoints = interfaces.flatMap((one) => one.endpoints);
    const size = endpoints.find((one) => one.bEndpointAddress === ep)?.wMaxPacketSize ?? 0;
    return size > 0 && data.byteLength > 0 && data.byteLength % size === 0;
  }

  #retryLater(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#clock.after(NAK_RETRY_MS, () => this.#move());
  }
}
