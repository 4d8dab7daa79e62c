import type { Unsubscribe } from "../../shared/ports/index.ts";
import { Feature, Recipient, Request, RequestType, type SetupPacket } from "../../shared/usb/index.ts";
import { Turns } from "./turns.ts";
import { type ClaimedStick, type FoundStick, Once, UsbHostError } from "./usb-host.ts";
import { problemOf, type WebUsbDevice, type WebUsbIn, type WebUsbSetup } from "./web-usb.ts";

export interface NodeUsbStickOptions {
  readonly stick: FoundStick;
  readonly device: WebUsbDevice;
  /** The interface that is claimed. */
  readonly number: number;
  /** Whether it was taken from a driver of the kernel, which is to have it again. */
  readonly giveBack: boolean;
  /** The library cannot take a transfer back: how long one waits before it is renewed, and how long giving back may take. */
  readonly inTimeoutMs: number;
  ended(): void;
}

/** For a device to take or give what it must. */
const TIMEOUT_MS = 5_000;
const NO_DATA = new Uint8Array(0);
const REQUEST_TYPES = ["standard", "class", "vendor"] as const;
const RECIPIENTS = ["device", "interface", "endpoint"] as const;
const ENDPOINT_NUMBER = 0x0f;

/** A stick that node-usb has open. Of each endpoint the library bears one transfer at a time. */
export class NodeUsbStick implements ClaimedStick {
  readonly stick: FoundStick;
  readonly #options: NodeUsbStickOptions;
  readonly #device: WebUsbDevice;
  readonly #gone = new Once();
  readonly #turns = new Map<number, Turns>();
  #why: string | undefined;
  #released: Promise<void> | undefined;

  constructor(options: NodeUsbStickOptions) {
    this.#options = options;
    this.#device = options.device;
    this.stick = { ...options.stick, state: "claimed" };
  }

  get handle(): string {
    return this.#device.handle;
  }

  control(setup: SetupPacket, out: Uint8Array): Promise<Uint8Array | "stall"> {
    const instead = this.#systemRequest(setup);
    if (instead !== undefined) return this.#stallOr(instead);
    const { bmRequestType, bRequest: request, wValue: value, wIndex: index, wLength } = setup;
    const requestType = REQUEST_TYPES[(bmRequestType & RequestType.TypeMask) >> 5] ?? "vendor";
    const recipient = RECIPIENTS[bmRequestType & RequestType.RecipientMask] ?? "other";
    const asked: WebUsbSetup = { requestType, recipient, request, value, index };
    const isIn = (bmRequestType & RequestType.In) !== 0;
    return this.#stallOr(() =>
      this.#turn(0, async () => {
        if (isIn) return bytesOf(await this.#device.controlTransferIn(asked, wLength, TIMEOUT_MS));
        const { status } = await this.#device.controlTransferOut(asked, Uint8Array.from(out), TIMEOUT_MS);
        return status === "stall" ? "stall" : NO_DATA;
      }),
    );
  }

  async bulkOut(ep: number, data: Uint8Array): Promise<"ok" | "stall"> {
    const result = await this.#stallOr(() =>
      this.#turn(ep, async () => {
        const { status } = await this.#device.transferOut(ep & ENDPOINT_NUMBER, Uint8Array.from(data), TIMEOUT_MS);
        return status === "stall" ? "stall" : NO_DATA;
      }),
    );
    return result === "stall" ? result : "ok";
  }

  bulkIn(ep: number, max: number): Promise<Uint8Array | "stall"> {
    return this.#stallOr(() =>
      this.#turn(ep, async () => {
        for (;;) {
          try {
            return bytesOf(await this.#device.transferIn(ep & ENDPOINT_NUMBER, max, this.#options.inTimeoutMs));
          } catch (error) {
            if (problemOf(error) !== "timeout" || this.#why !== undefined) throw error;
          }
        }
      }),
    );
  }

  onGone(listener: () => void): Unsubscribe {
    return this.#gone.on(listener);
  }

  /** It was seen that it is not there any more. */
  lost(): void {
    if (this.#why !== undefined) return;
    this.#why = "is gone";
    this.#gone.happen();
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    const { number, giveBack, ended } = this.#options;
    const wasThere = this.#why === undefined;
    this.#why ??= "was given back";
    await Promise.all([...this.#turns.values()].map((turns) => turns.end(this.#error())));
    const steps = [
      () => this.#device.releaseInterface(number),
      async () => (giveBack ? this.#device.attachKernelDriver(number) : undefined),
      () => this.#device.close(),
    ];
    let failure: unknown;
    for (const step of wasThere ? steps : steps.slice(-1)) {
      await step().catch((error: unknown) => {
        failure ??= error;
      });
    }
    ended();
    // Unplugged at this very moment is as good, and so is a driver that was faster.
    if (failure === undefined || !wasThere || ["gone", "attached"].includes(problemOf(failure) ?? "")) return;
    const text = failure instanceof Error ? failure.message : String(failure);
    throw new UsbHostError("gone", `The stick ${this.stick.at} could not be given back: ${text}`, { cause: failure });
  }

  /**
   * The host's side of these has to know of them, too, or it and the device disagree about what comes next (USB 2.0, 9.1.1.5: data
   * toggles); so the system is asked to make them. Undefined for all others.
   */
  #systemRequest({
    bmRequestType,
    bRequest,
    wValue,
    wIndex,
  }: SetupPacket): (() => Promise<Uint8Array | "stall">) | undefined {
    const device = this.#device;
    const done = async (ep: number, run: () => Promise<void>) => {
      await this.#turn(ep, run, true);
      return NO_DATA;
    };
    if (bmRequestType === Recipient.Device && bRequest === Request.SetAddress) return async () => "stall";
    if (bmRequestType === Recipient.Device && bRequest === Request.SetConfiguration)
      return () => this.#configure(wValue);
    if (bmRequestType === Recipient.Interface && bRequest === Request.SetInterface) {
      return () => done(0, () => device.selectAlternateInterface(wIndex, wValue));
    }
    const clears = bmRequestType === Recipient.Endpoint && bRequest === Request.ClearFeature;
    if (!clears || wValue !== Feature.EndpointHalt || (wIndex & ENDPOINT_NUMBER) === 0) return undefined;
    const direction = (wIndex & RequestType.In) !== 0 ? "in" : "out";
    return () => done(wIndex, () => device.clearHalt(direction, wIndex & ENDPOINT_NUMBER));
  }

  /** The system has configured the device before anybody can claim an interface of it; it is not made to do it again. */
  async #configure(value: number): Promise<Uint8Array | "stall"> {
    const get = { bmRequestType: RequestType.In, bRequest: Request.GetConfiguration, wValue: 0, wIndex: 0, wLength: 1 };
    const present = await this.control(get, NO_DATA);
    if (present !== "stall" && present[0] === value) return NO_DATA;
    await this.#turn(0, () => this.#device.selectConfiguration(value));
    return NO_DATA;
  }

  #turn<T>(ep: number, run: () => Promise<T>, first = false): Promise<T> {
    const turns = this.#turns.get(ep) ?? new Turns();
    this.#turns.set(ep, turns);
    return turns.add(async () => {
      if (this.#why !== undefined) throw this.#error();
      return run();
    }, first);
  }

  /** A stall is an answer; all else that goes wrong means that the stick cannot be used any more. */
  async #stallOr(run: () => Promise<Uint8Array | "stall">): Promise<Uint8Array | "stall"> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof UsbHostError) throw error;
      const problem = problemOf(error);
      if (problem === "stall" && this.#why === undefined) return "stall";
      if (problem === "gone") this.lost();
      throw this.#error(error);
    }
  }

  #error(cause?: unknown): UsbHostError {
    const { at } = this.stick;
    if (this.#why !== undefined) return new UsbHostError("gone", `The stick ${at} ${this.#why}`, { cause });
    if (problemOf(cause) === "timeout") {
      return new UsbHostError("gone", `The stick ${at} did not answer within ${TIMEOUT_MS / 1_000} s`, { cause });
    }
    const text = cause instanceof Error ? cause.message : String(cause);
    return new UsbHostError("gone", `The stick ${at} cannot be spoken to: ${text}`, { cause });
  }
}

function bytesOf({ data, status }: WebUsbIn): Uint8Array | "stall" {
  if (status === "stall") return "stall";
  return data === undefined ? NO_DATA : new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}
