import { createEemLink, type EemLink, MAX_TRANSFER_BYTES } from "../../shared/eem/index.ts";
import type { Clock, FrameLink, Unsubscribe } from "../../shared/ports/index.ts";
import type { UsbDevice } from "../../shared/usb/index.ts";
import { clearHalt, type Enumerated, enumerate } from "./enumerate.ts";

export interface MemoryUsbHostOptions {
  /** Carry USB packets of 64 bytes one by one, as a bus of wires does, instead of whole transfers, as USB/IP does. */
  readonly packetwise?: boolean;
  /** Offers data again 1 ms after the device answered "nak". Without it, whenever anything moves. */
  readonly clock?: Clock;
  /**
   * When waiting transfers move. The default moves them before the outermost `send` or `plug` returns, one after another,
   * never one inside another. `queueMicrotask` lets the sender finish first, as a bus does.
   */
  readonly schedule?: (run: () => void) => void;
}

export interface MemoryUsbHost {
  /** Enumerates as Linux does and brings the link up. Error when the device does not play along. Does nothing when plugged. */
  plug(): void;
  /** The device sees a bus reset and nothing after it. */
  unplug(): void;
  /** The host's side; frames are lost while unplugged. It stays the same over unplugging and plugging. */
  readonly link: FrameLink;
  /** What the device said of itself, while it is plugged. */
  readonly enumerated: Enumerated | undefined;
  readonly counters: EemLink["counters"];
}

const NAK_RETRY_MS = 1;
const MAX_STALLS = 3;

/** A computer with one USB port and Linux' cdc_eem driver, in this process: CRC real, one frame a transfer, padded. */
export function createMemoryUsbHost(device: UsbDevice, options: MemoryUsbHostOptions = {}): MemoryUsbHost {
  return new UsbPort(device, options);
}

class UsbPort implements MemoryUsbHost {
  readonly link: FrameLink;
  readonly #device: UsbDevice;
  readonly #options: MemoryUsbHostOptions;
  readonly #eem: EemLink;
  #enumerated: Enumerated | undefined;
  #ignoreReady: Unsubscribe = () => undefined;
  #cancelRetry: Unsubscribe = () => undefined;
  /** What the device did not take yet. */
  #offered: Uint8Array | undefined;
  #stalls = 0;
  #scheduled = false;

  constructor(device: UsbDevice, options: MemoryUsbHostOptions) {
    this.#device = device;
    this.#options = options;
    this.#eem = createEemLink({ bundle: false, chunked: true, onPending: () => this.#wake() });
    this.link = this.#eem.link;
  }

  get enumerated(): Enumerated | undefined {
    return this.#enumerated;
  }

  get counters(): EemLink["counters"] {
    return this.#eem.counters;
  }

  plug(): void {
    if (this.#enumerated !== undefined) return;
    const enumerated = enumerate(this.#device);
    this.#ignoreReady = this.#device.onInReady(() => this.#wake());
    this.#stalls = 0;
    this.#enumerated = enumerated;
    this.#eem.setUp(true);
    this.#wake();
  }

  unplug(): void {
    if (this.#enumerated === undefined) return;
    this.#goDown();
    this.#device.busReset();
  }

  #goDown(): void {
    this.#ignoreReady();
    this.#cancelRetry();
    this.#enumerated = undefined;
    this.#offered = undefined;
    this.#eem.setUp(false);
  }

  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    (this.#options.schedule ?? ((run) => run()))(() => this.#move());
  }

  /** Moves transfers until both directions rest. What is woken meanwhile is moved by the same loop. */
  #move(): void {
    try {
      for (let moving = true; moving; ) {
        const out = this.#moveOut();
        const into = this.#moveIn();
        moving = out || into;
      }
    } finally {
      this.#scheduled = false;
    }
  }

  get #bufferBytes(): number {
    return this.#options.packetwise === true ? (this.#enumerated?.usbPacketBytes ?? 0) : MAX_TRANSFER_BYTES;
  }

  /** Whether something moved. */
  #moveOut(): boolean {
    const plugged = this.#enumerated;
    if (plugged === undefined) return false;
    const chunk = this.#offered ?? this.#eem.take(this.#bufferBytes);
    if (chunk === undefined) return false;
    this.#offered = chunk;
    const answer = this.#device.bulkOut(plugged.epOut, chunk);
    if (this.#enumerated !== plugged) return true; // unplugged meanwhile, perhaps plugged in again: look anew
    if (answer === "stall") return this.#stalled(plugged.epOut);
    if (answer === "nak") {
      this.#retryLater();
      return false;
    }
    this.#stalls = 0;
    this.#offered = undefined;
    return true;
  }

  #moveIn(): boolean {
    const plugged = this.#enumerated;
    if (plugged === undefined) return false;
    const answer = this.#device.bulkIn(plugged.epIn, this.#bufferBytes);
    if (answer === "nak") return false;
    if (answer === "stall") return this.#stalled(plugged.epIn);
    this.#stalls = 0;
    this.#eem.feed(answer);
    return true;
  }

  /** As usbnet: clear the halt and try again; a device that goes on stalling is given up. */
  #stalled(endpoint: number): boolean {
    this.#stalls += 1;
    if (this.#stalls <= MAX_STALLS && clearHalt(this.#device, endpoint)) return true;
    this.#goDown();
    return false;
  }

  #retryLater(): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#options.clock?.after(NAK_RETRY_MS, () => this.#wake()) ?? this.#cancelRetry;
  }
}
