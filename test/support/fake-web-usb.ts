import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realClock } from "../../hw/clock/real.ts";
import { DeviceTransfers, type Transfer } from "../../hw/usb-device/usbip/index.ts";
import type { WebUsb, WebUsbDevice, WebUsbHotplug, WebUsbIn, WebUsbSetup } from "../../hw/usb-host/web-usb.ts";
import type { SetupPacket, UsbDevice } from "../../shared/usb/index.ts";

const NO_DATA = new Uint8Array(0);
const TYPES = ["standard", "class", "vendor"] as const;
const RECIPIENTS = ["device", "interface", "endpoint", "other"] as const;

/** A port of a Linux machine with cdc_eem: the kernel configures what is plugged in and gives it to its driver. */
export class FakePort {
  readonly at: string;
  readonly usb: UsbDevice;
  /** Of the one interface. */
  driver: "cdc_eem" | "usbfs" | undefined;
  /** As node-usb says "errno 13". */
  denied = false;
  /** What attachKernelDriver says instead of doing it, such as "device is busy (errno 16)". */
  driverRefuses: string | undefined;
  /** Counts how often it was plugged in: the address. */
  life = 0;
  plugged = false;
  transfers: DeviceTransfers | undefined;
  readonly inFlight = new Set<(error: Error) => void>();
  readonly #sysfs: string;

  constructor(at: string, usb: UsbDevice, sysfs: string) {
    this.at = at;
    this.usb = usb;
    this.#sysfs = sysfs;
    this.plug();
  }

  get folder(): string {
    return join(this.#sysfs, this.at, `${this.at}:1.0`);
  }

  plug(): void {
    if (this.plugged) return;
    this.plugged = true;
    this.life += 1;
    this.usb.busReset();
    this.usb.control({ bmRequestType: 0, bRequest: 9, wValue: 1, wIndex: 0, wLength: 0 }, NO_DATA);
    this.transfers = new DeviceTransfers(this.usb, realClock);
    mkdirSync(this.folder, { recursive: true });
    const [one] = this.usb.descriptors.configuration.interfaces;
    const hex = (value = 0) => `${value.toString(16).padStart(2, "0")}\n`;
    writeFileSync(join(this.folder, "bInterfaceNumber"), hex(one?.descriptor.bInterfaceNumber));
    writeFileSync(join(this.folder, "bInterfaceClass"), hex(one?.descriptor.bInterfaceClass));
    writeFileSync(join(this.folder, "bInterfaceSubClass"), hex(one?.descriptor.bInterfaceSubClass));
    writeFileSync(join(this.folder, "bInterfaceProtocol"), hex(one?.descriptor.bInterfaceProtocol));
    this.bind("cdc_eem");
  }

  unplug(): void {
    if (!this.plugged) return;
    this.plugged = false;
    this.driver = undefined;
    this.transfers?.close();
    this.usb.busReset();
    for (const reject of [...this.inFlight]) reject(new Error("transferIn error: Disconnected"));
    rmSync(join(this.#sysfs, this.at), { recursive: true });
  }

  bind(driver: FakePort["driver"]): void {
    this.driver = driver;
    const link = join(this.folder, "driver");
    rmSync(link, { force: true });
    if (driver !== undefined) symlinkSync(`../../../drivers/${driver}`, link);
  }
}

export interface FakeWebUsb extends WebUsb {
  readonly ports: readonly FakePort[];
  readonly watchers: number;
  /** Whether the system tells of plugging; without, adding a watcher is refused. */
  hasEvents: boolean;
  plug(at: string): void;
  unplug(at: string): void;
}

export function createFakeWebUsb(ports: readonly FakePort[]): FakeWebUsb {
  const attach = new Set<FakeHotplug>();
  const fake = {
    ports,
    hasEvents: true,
    get watchers() {
      return attach.size;
    },
    getDevices: async () => ports.filter(({ plugged }) => plugged).map((port) => new FakeWebUsbDevice(port)),
    createHotplug: () => new FakeHotplug(attach, () => fake.hasEvents),
    plug(at: string) {
      for (const port of ports) if (port.at === at) port.plug();
      for (const { onAttach } of attach) queueMicrotask(() => onAttach?.());
    },
    unplug(at: string) {
      for (const port of ports) if (port.at === at) port.unplug();
      for (const { onDetach } of attach) queueMicrotask(() => onDetach?.());
    },
  };
  return fake;
}

class FakeHotplug implements WebUsbHotplug {
  onAttach: (() => void) | undefined;
  onDetach: (() => void) | undefined;
  readonly #all: Set<FakeHotplug>;
  readonly #hasEvents: () => boolean;

  constructor(all: Set<FakeHotplug>, hasEvents: () => boolean) {
    this.#all = all;
    this.#hasEvents = hasEvents;
  }

  async addAttach(listener: () => void): Promise<void> {
    if (!this.#hasEvents()) throw new Error("addAttach error: failed to open udev netlink socket (errno 1)");
    this.onAttach = listener;
    this.#all.add(this);
  }

  async addDetach(listener: () => void): Promise<void> {
    this.onDetach = listener;
    this.#all.add(this);
  }

  async removeAttach(): Promise<void> {
    this.onAttach = undefined;
    this.#all.delete(this);
  }

  async removeDetach(): Promise<void> {
    this.onDetach = undefined;
    this.#all.delete(this);
  }
}

/** As node-usb 3.1 behaves on Linux: a stall, a timeout and an unplugged device reject, with these texts. */
class FakeWebUsbDevice implements WebUsbDevice {
  readonly vendorId: number;
  readonly productId: number;
  readonly bus: string;
  readonly address: number;
  readonly ports: readonly number[];
  readonly #port: FakePort;
  readonly #life: number;
  #open = false;
  #claimed = false;
  /** Calls that have the device borrowed; endpoints in use. */
  #calls = 0;
  readonly #endpoints = new Set<number>();

  constructor(port: FakePort) {
    const { idVendor, idProduct } = port.usb.descriptors.device;
    const [bus = "", ports = ""] = port.at.split("-");
    this.vendorId = idVendor;
    this.productId = idProduct;
    this.bus = bus.padStart(3, "0");
    this.ports = ports.split(".").map(Number);
    this.address = port.life + 1;
    this.#port = port;
    this.#life = port.life;
  }

  get handle(): string {
    return `${this.#port.at}#${this.#life}`;
  }

  get manufacturerName(): string | undefined {
    return this.#port.usb.descriptors.strings[1];
  }

  get productName(): string | undefined {
    return this.#port.usb.descriptors.strings[2];
  }

  get serialNumber(): string | undefined {
    return this.#port.usb.descriptors.strings[3];
  }

  get #isThere(): boolean {
    return this.#port.plugged && this.#port.life === this.#life;
  }

  /** `&mut self` in the library: nothing else may be under way. */
  #alone(what: string): void {
    if (this.#calls > 0) throw new Error(`${what}: already borrowed`);
  }

  async open(): Promise<void> {
    this.#alone("open");
    if (!this.#isThere) throw new Error("open error: failed to open device (errno 19)");
    if (this.#port.denied) throw new Error("open error: failed to open device (errno 13)");
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#alone("close");
    if (this.#claimed) await this.releaseInterface(0);
    this.#open = false;
  }

  async claimInterface(number: number): Promise<void> {
    this.#alone("claimInterface");
    if (!this.#open) throw new Error("claimInterface error: invalid state");
    if (!this.#isThere) throw new Error("claimInterface error: device disconnected (errno 19)");
    if (number !== 0) throw new Error("claimInterface error: interface not found (errno 2)");
    if (this.#port.driver !== undefined) throw new Error("claimInterface error: interface is busy (errno 16)");
    this.#port.bind("usbfs");
    this.#claimed = true;
  }

  async releaseInterface(_number: number): Promise<void> {
    this.#alone("releaseInterface");
    if (!this.#claimed) throw new Error("releaseInterface error: not claimed");
    this.#claimed = false;
    if (this.#isThere) this.#port.bind(undefined);
  }

  async detachKernelDriver(_number: number): Promise<void> {
    if (!this.#open) throw new Error("detachKernelDriver error: invalid state");
    if (!this.#isThere) throw new Error("detachKernelDriver error: device disconnected (errno 19)");
    if (this.#port.driver === undefined)
      throw new Error("detachKernelDriver error: no kernel driver attached (errno 61)");
    this.#port.bind(undefined);
  }

  async attachKernelDriver(_number: number): Promise<void> {
    if (!this.#open) throw new Error("attachKernelDriver error: invalid state");
    if (!this.#isThere) throw new Error("attachKernelDriver error: device disconnected (errno 19)");
    if (this.#port.driverRefuses !== undefined)
      throw new Error(`attachKernelDriver error: ${this.#port.driverRefuses}`);
    if (this.#port.driver !== undefined)
      throw new Error("attachKernelDriver error: kernel driver already attached (errno 16)");
    this.#port.bind("cdc_eem");
  }

  async selectConfiguration(value: number): Promise<void> {
    if (!this.#open) throw new Error("selectConfiguration error: invalid state");
    if (value !== 1) throw new Error("selectConfiguration error: invalid configuration");
    throw new Error("selectConfiguration error: device is busy (errno 16)"); // an interface is claimed
  }

  async selectAlternateInterface(number: number, setting: number): Promise<void> {
    this.#alone("selectAlternateInterface");
    if (!this.#claimed) throw new Error("selectAlternateInterface error: invalid state");
    if (setting !== 0) throw new Error("selectAlternateInterface error: alternate setting not found (errno 22)");
    const setup = {
      requestType: "standard",
      recipient: "interface",
      request: 11,
      value: setting,
      index: number,
    } as const;
    await this.#control("controlTransferOut", setup, 0, NO_DATA);
  }

  async clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void> {
    const ep = direction === "in" ? endpointNumber | 0x80 : endpointNumber;
    if (this.#endpoints.has(ep)) throw new Error("clearHalt error: endpoint not found");
    await this.#control("controlTransferOut", { requestType: "standard", recipient: "endpoint", request: 1, value: 0, index: ep }, 0, NO_DATA); // biome-ignore format: one line
  }

  async controlTransferIn(setup: WebUsbSetup, length: number, _timeoutMs: number): Promise<WebUsbIn> {
    const answer = await this.#control("controlTransferIn", setup, length, undefined);
    return { data: new DataView(Uint8Array.from(answer).buffer), status: "ok" };
  }

  async controlTransferOut(setup: WebUsbSetup, data: Uint8Array): Promise<{ status: string }> {
    await this.#control("controlTransferOut", setup, data.byteLength, data);
    return { status: "ok" };
  }

  async transferIn(endpointNumber: number, length: number, timeoutMs: number): Promise<WebUsbIn> {
    const ep = endpointNumber | 0x80;
    const data = await this.#bulk<Uint8Array>("transferIn", ep, timeoutMs, (done) => ({
      kind: "in",
      ep,
      max: length,
      done,
    }));
    return { data: new DataView(Uint8Array.from(data).buffer), status: "ok" };
  }

  async transferOut(ep: number, data: Uint8Array, timeoutMs: number): Promise<{ status: string }> {
    await this.#bulk<"ok">("transferOut", ep, timeoutMs, (done) => ({
      kind: "out",
      ep,
      data,
      zeroPacket: false,
      done,
    }));
    return { status: "ok" };
  }

  async #control(name: string, setup: WebUsbSetup, length: number, out: Uint8Array | undefined): Promise<Uint8Array> {
    if (!this.#claimed) throw new Error(`${name} error: invalid state`);
    this.#calls += 1;
    await Promise.resolve();
    this.#calls -= 1;
    if (!this.#isThere) throw new Error(`${name} error: device disconnected`);
    const { requestType, recipient, request: bRequest, value: wValue, index: wIndex } = setup;
    const kind = (TYPES.indexOf(requestType) << 5) | RECIPIENTS.indexOf(recipient);
    const packet: SetupPacket = {
      bmRequestType: kind | (out === undefined ? 0x80 : 0),
      bRequest,
      wValue,
      wIndex,
      wLength: length,
    };
    const answer = this.#port.usb.control(packet, out ?? NO_DATA);
    this.#port.transfers?.wake();
    if (answer === "stall") throw new Error(`${name} error: endpoint stalled`);
    return answer;
  }

  #bulk<T>(
    name: string,
    ep: number,
    timeoutMs: number,
    make: (done: (result: T | "stall") => void) => Transfer,
  ): Promise<T> {
    const { transfers, inFlight } = this.#port;
    if (!this.#claimed || this.#endpoints.has(ep))
      return Promise.reject(new Error(`${name} error: endpoint not found`));
    if (!this.#isThere || transfers === undefined) return Promise.reject(new Error(`${name} error: Disconnected`));
    this.#endpoints.add(ep);
    this.#calls += 1;
    return new Promise<T>((resolve, reject) => {
      const end = (settle: () => void) => {
        cancel();
        inFlight.delete(fail);
        this.#endpoints.delete(ep);
        this.#calls -= 1;
        settle();
      };
      const fail = (error: Error) => end(() => reject(error));
      const transfer = make((result) =>
        result === "stall" ? fail(new Error(`${name} error: Stall`)) : end(() => resolve(result)),
      );
      const cancel = realClock.after(timeoutMs, () => {
        if (transfers.cancel(transfer)) fail(new Error(`${name} error: Cancelled`));
      });
      inFlight.add(fail);
      transfers.submit(transfer);
    });
  }
}
