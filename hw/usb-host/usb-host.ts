import type { Unsubscribe } from "../../shared/ports/index.ts";
import type { SetupPacket } from "../../shared/usb/index.ts";

/** Who has a stick: nobody, a driver of the kernel, a program (ours or another); `unknown` where it cannot be seen. */
export type StickState = "free" | "kernel" | "claimed" | "unknown";

/** What a bus shows of a device without taking it. */
export interface FoundStick {
  /** Where it is, for people and for --usb: a bus path such as `1-2.4`, or a USB/IP bus id. */
  readonly at: string;
  readonly vendorId: number;
  readonly productId: number;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serial?: string;
  readonly state: StickState;
  /** The driver's name where the state is `kernel`. */
  readonly driver?: string;
  /** A Fobnail token by its ids, its class and, as far as they are seen, its strings. */
  readonly isToken: boolean;
}

/** A bus with sticks on it. */
export interface UsbHost {
  readonly name: string;
  /** What is plugged in now. Rejects with UsbHostError. */
  find(): Promise<readonly FoundStick[]>;
  /** Takes the stick, from the kernel's driver too. Rejects with UsbHostError. */
  claim(stick: FoundStick): Promise<ClaimedStick>;
  /** Told when something was plugged in or unplugged, or may have been; `find` says what. */
  onChange(listener: () => void): Unsubscribe;
  /** Gives back what is still claimed. */
  close(): Promise<void>;
}

/**
 * A stick that is ours. Transfers of one endpoint happen in the order of the calls. Once it is gone or given back, what is
 * pending and what is asked later rejects with UsbHostError `gone`.
 */
export interface ClaimedStick {
  readonly stick: FoundStick;
  /** A control transfer with `out` as its data stage to the device, or of at most wLength bytes from it. */
  control(setup: SetupPacket, out: Uint8Array): Promise<Uint8Array | "stall">;
  /** A whole transfer; `ep` is the address, 0x01 is OUT 1. */
  bulkOut(ep: number, data: Uint8Array): Promise<"ok" | "stall">;
  /** A transfer of at most `max` bytes, pending until the device has one; `ep` is the address, 0x81 is IN 1. */
  bulkIn(ep: number, max: number): Promise<Uint8Array | "stall">;
  /** Told once, when it is unplugged or its bus is lost; not when it is released. At once when that has happened. */
  onGone(listener: () => void): Unsubscribe;
  /**
   * Gives the interface back to the kernel's driver, where it was taken from one. May be called twice. Rejects with UsbHostError
   * when the driver does not get it; the stick is free all the same.
   */
  release(): Promise<void>;
}

/**
 * none: no such stick. several: more than one, and none was named. permission: the system does not let us. busy: another
 * program has it. gone: it was there. unsupported: this machine has no such bus.
 */
export type UsbHostReason = "none" | "several" | "permission" | "busy" | "gone" | "unsupported";

/** Why a stick cannot be had; the message is a sentence for people. */
export class UsbHostError extends Error {
  override readonly name = "UsbHostError";
  readonly reason: UsbHostReason;

  constructor(reason: UsbHostReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Something that happens once; who asks later is told at once. */
export class Once {
  readonly #listeners = new Set<() => void>();
  #happened = false;

  get happened(): boolean {
    return this.#happened;
  }

  on(listener: () => void): Unsubscribe {
    if (this.#happened) {
      listener();
      return () => undefined;
    }
    const own = () => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  happen(): void {
    if (this.#happened) return;
    this.#happened = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}
