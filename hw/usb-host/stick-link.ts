import { CodecError, decode } from "../../shared/bytes/index.ts";
import { createEemLink, type EemLink, type EemLinkCounters, MAX_TRANSFER_BYTES } from "../../shared/eem/index.ts";
import type { Clock, FrameLink, Log, Unsubscribe } from "../../shared/ports/index.ts";
import {
  ConfigurationDescriptor,
  DescriptorType,
  Feature,
  Recipient,
  Request,
  RequestType,
  type SetupPacket,
  UsbConfiguration,
} from "../../shared/usb/index.ts";
import { type BulkEndpoints, bulkEndpoints, eemInterface } from "./eem-interface.ts";
import { type ClaimedStick, Once, UsbHostError } from "./usb-host.ts";

export interface StickLinkOptions {
  readonly log: Log;
  readonly clock: Clock;
}

export interface StickLink {
  /** Ethernet to the stick; frames are lost once it is gone. */
  readonly link: FrameLink;
  readonly counters: Readonly<EemLinkCounters>;
  /** Told once, when the stick is unplugged or does not play along any more: then close. At once when that has happened. */
  onGone(listener: () => void): Unsubscribe;
  /** Gives the stick back. May be called twice. */
  close(): Promise<void>;
}

/** As usbnet keeps them for EEM. */
const PENDING_INS = 4;
const PENDING_OUTS = 4;
/** Frames that wait for their turn; beyond that the oldest is lost. */
const MAX_QUEUED = 64;
const MAX_STALLS = 3;
/** Behind a stall: a device that stalls at once again is not asked all the time. */
const STALL_PAUSE_MS = 100;
const NO_DATA = new Uint8Array(0);
const MAX_CONFIGURATION_BYTES = 1_024;

/** The driver of CDC-EEM over a stick that is claimed. Rejects with a sentence, and gives the stick back, when it is none. */
export async function openStickLink(claimed: ClaimedStick, options: StickLinkOptions): Promise<StickLink> {
  try {
    const endpoints = await configure(claimed);
    return new EemDriver(claimed, endpoints, options);
  } catch (error) {
    await claimed.release().catch(() => undefined); // what went wrong first is what counts
    if (!(error instanceof CodecError)) throw error;
    throw new Error(`The stick ${claimed.stick.at} sent a malformed descriptor`, { cause: error });
  }
}

const standardOut = (recipient: number, bRequest: number, wValue: number, wIndex: number): SetupPacket => ({
  bmRequestType: recipient,
  bRequest,
  wValue,
  wIndex,
  wLength: 0,
});

/** Reads the configuration and sets it and its EEM interface. */
async function configure(claimed: ClaimedStick): Promise<BulkEndpoints> {
  const ask = async (name: string, setup: SetupPacket): Promise<Uint8Array> => {
    const answer = await claimed.control(setup, NO_DATA);
    if (answer === "stall") throw new Error(`The stick ${claimed.stick.at} refused ${name}`);
    return answer;
  };
  const readConfiguration = (wLength: number) =>
    ask("its configuration", {
      bmRequestType: RequestType.In,
      bRequest: Request.GetDescriptor,
      wValue: DescriptorType.Configuration << 8,
      wIndex: 0,
      wLength,
    });
  const { wTotalLength } = decode(ConfigurationDescriptor, await readConfiguration(9));
  const all = await readConfiguration(Math.min(wTotalLength, MAX_CONFIGURATION_BYTES));
  const configuration = decode(UsbConfiguration, all);
  const one = eemInterface(configuration);
  const { bConfigurationValue } = configuration.descriptor;
  const { bInterfaceNumber, bAlternateSetting } = one.descriptor;
  await ask("SET_CONFIGURATION", standardOut(Recipient.Device, Request.SetConfiguration, bConfigurationValue, 0));
  await ask(
    "SET_INTERFACE",
    standardOut(Recipient.Interface, Request.SetInterface, bAlternateSetting, bInterfaceNumber),
  );
  return bulkEndpoints(one);
}

class EemDriver implements StickLink {
  readonly link: FrameLink;
  readonly #claimed: ClaimedStick;
  readonly #endpoints: BulkEndpoints;
  readonly #options: StickLinkOptions;
  readonly #eem: EemLink;
  readonly #gone = new Once();
  readonly #ignoreGone: Unsubscribe;
  /** Large enough for any transfer of EEM, and whole packets, as host controllers want it. */
  readonly #bufferBytes: number;
  #outs = 0;
  /** One after another, by endpoint. */
  readonly #stalls = new Map<number, number>();
  #open = true;

  constructor(claimed: ClaimedStick, endpoints: BulkEndpoints, options: StickLinkOptions) {
    const { usbPacketBytes } = endpoints;
    this.#claimed = claimed;
    this.#endpoints = endpoints;
    this.#options = options;
    this.#bufferBytes = Math.ceil(MAX_TRANSFER_BYTES / usbPacketBytes) * usbPacketBytes;
    // One frame a transfer, as Linux sends them.
    this.#eem = createEemLink({
      bundle: false,
      maxQueued: MAX_QUEUED,
      usbPacketBytes,
      onPending: () => this.#sendMore(),
    });
    this.link = this.#eem.link;
    this.#eem.setUp(true);
    this.#ignoreGone = claimed.onGone(() => this.#end());
    for (let i = 0; i < PENDING_INS; i++) void this.#receiveAll();
  }

  get counters(): Readonly<EemLinkCounters> {
    return this.#eem.counters;
  }

  onGone(listener: () => void): Unsubscribe {
    return this.#gone.on(listener);
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#ignoreGone();
    this.#eem.setUp(false);
    await this.link.close();
    await this.#claimed.release();
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#eem.setUp(false);
    this.#gone.happen();
  }

  /** One of the transfers that wait for the device; several of these run side by side. */
  async #receiveAll(): Promise<void> {
    while (this.#open) {
      const data = await this.#tried(() => this.#claimed.bulkIn(this.#endpoints.epIn, this.#bufferBytes));
      if (data === "stall") await this.#clearHalt(this.#endpoints.epIn);
      else if (data !== undefined) {
        this.#stalls.delete(this.#endpoints.epIn);
        this.#eem.feed(data);
      }
    }
  }

  #sendMore(): void {
    while (this.#open && this.#outs < PENDING_OUTS) {
      const transfer = this.#eem.take();
      if (transfer === undefined) return;
      this.#outs += 1;
      void this.#sendOne(transfer);
    }
  }

  async #sendOne(transfer: Uint8Array): Promise<void> {
    const result = await this.#tried(() => this.#claimed.bulkOut(this.#endpoints.epOut, transfer));
    if (result === "stall")
      await this.#clearHalt(this.#endpoints.epOut); // the frame is lost, as on a wire
    else this.#stalls.delete(this.#endpoints.epOut);
    this.#outs -= 1;
    this.#sendMore();
  }

  /** Undefined when the stick is gone. */
  async #tried<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof UsbHostError)) throw error;
      if (this.#open) this.#options.log.write("debug", error.message);
      this.#end();
      return undefined;
    }
  }

  /** As usbnet: clear the halt and go on; a device that goes on stalling is given up. */
  async #clearHalt(endpoint: number): Promise<void> {
    const stalls = (this.#stalls.get(endpoint) ?? 0) + 1;
    this.#stalls.set(endpoint, stalls);
    if (stalls > MAX_STALLS * PENDING_INS) {
      this.#giveUp("goes on stalling");
      return;
    }
    const setup = standardOut(Recipient.Endpoint, Request.ClearFeature, Feature.EndpointHalt, endpoint);
    const answer = await this.#tried(() => this.#claimed.control(setup, NO_DATA));
    if (answer === "stall") this.#giveUp("cannot be brought to go on after a stall");
    if (stalls > PENDING_INS) await this.#pause();
  }

  #giveUp(problem: string): void {
    if (this.#open) this.#options.log.write("warn", `The stick ${this.#claimed.stick.at} ${problem}; it is given up`);
    this.#end();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(STALL_PAUSE_MS, resolve);
    });
  }
}
