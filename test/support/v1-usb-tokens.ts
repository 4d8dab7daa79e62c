/** Tokens of API v1 in this process, exported by USB/IP on the loopback, with their storage in memory. */
import { realClock } from "../../hw/clock/real.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../hw/flash/index.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { openUsbipServer, type UsbipServer } from "../../hw/usb-device/usbip/index.ts";
import type { Flash } from "../../shared/ports/index.ts";
import type { UsbDevice } from "../../shared/usb/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import type { TokenEvent } from "../../token/domain/events.ts";
import { profileNamed } from "../../token/domain/profile.ts";
import { createToken, type Token } from "../../token/token.ts";
import { TestLog } from "./coap-pair.ts";

export interface UsbTokensOptions {
  readonly ownerRoot: Certificate;
  readonly ekRoots: readonly Certificate[];
  /** Bus ids 1-1, 1-2, ...; one unless said otherwise. */
  readonly count?: number;
}

export class UsbTokens {
  readonly log = new TestLog();
  readonly events: TokenEvent[] = [];
  /** Frames that come are lost. */
  mute = false;
  readonly #options: UsbTokensOptions;
  readonly #flashes: readonly Flash[];
  #tokens: readonly Token[] = [];
  #server: UsbipServer | undefined;
  #port = 0;

  constructor(options: UsbTokensOptions) {
    this.#options = options;
    this.#flashes = Array.from({ length: options.count ?? 1 }, () => createRamFlash(STICK_GEOMETRY));
  }

  /** For --usb. */
  get spec(): string {
    return `usbip:127.0.0.1:${this.#port}`;
  }

  /** At the port of the time before, with what the flashes hold. */
  async start(): Promise<void> {
    const { ownerRoot, ekRoots } = this.#options;
    const { log } = this;
    const common = { clock: realClock, random: systemRandom, log, leds: { show: () => undefined } };
    this.#tokens = this.#flashes.map((flash, index) => {
      const token = createToken(
        { ...common, flash, button: { onChange: () => () => undefined } },
        { api: "v1", profile: profileNamed("strict"), ownerRoot, ekRoots, serial: `STICK${index + 1}` },
      );
      token.onEvent((event) => this.events.push(event));
      return token;
    });
    const sticks = this.#tokens.map(({ usb }, index) => ({ busid: `1-${index + 1}`, device: this.#deaf(usb) }));
    this.#server = await openUsbipServer({ host: "127.0.0.1", port: this.#port, sticks, clock: realClock, log });
    this.#port = this.#server.local.port;
  }

  #deaf(usb: UsbDevice): UsbDevice {
    return {
      descriptors: usb.descriptors,
      control: (setup, out) => usb.control(setup, out),
      bulkOut: (ep, data) => (this.mute ? "ack" : usb.bulkOut(ep, data)),
      bulkIn: (ep, max) => usb.bulkIn(ep, max),
      onInReady: (listener) => usb.onInReady(listener),
      busReset: () => usb.busReset(),
      suspend: () => usb.suspend(),
      resume: () => usb.resume(),
    };
  }

  unplug(busid = "1-1"): void {
    this.#server?.unplug(busid);
  }

  plug(busid = "1-1"): void {
    this.#server?.plug(busid);
  }

  /** How often the tokens have trusted a platform. */
  get attested(): number {
    return this.events.filter(({ type }) => type === "attested").length;
  }

  /** Whether a program has the stick. */
  isTaken(busid = "1-1"): boolean {
    return this.#server?.importer(busid) !== undefined;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    for (const token of this.#tokens) token.stop();
    this.#tokens = [];
  }
}
