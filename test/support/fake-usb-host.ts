import { VirtualClock } from "../../hw/clock/virtual.ts";
import { DeviceTransfers, type Transfer } from "../../hw/usb-device/usbip/index.ts";
import { isEem, looksLikeToken } from "../../hw/usb-host/eem-interface.ts";
import { type ClaimedStick, type FoundStick, Once, type UsbHost, UsbHostError } from "../../hw/usb-host/usb-host.ts";
import type { Clock } from "../../shared/ports/index.ts";
import type { UsbDevice } from "../../shared/usb/index.ts";

export interface FakeUsbHost extends UsbHost {
  plug(at: string): void;
  unplug(at: string): void;
}

interface Port {
  readonly at: string;
  readonly device: UsbDevice;
  plugged: boolean;
  claimed: FakeStick | undefined;
}

/** Devices in this process behind the seam; what is answered is so in a microtask. The kernel has a driver for each of them. */
export function createFakeUsbHost(
  sticks: readonly { readonly at: string; readonly device: UsbDevice }[],
  clock: Clock = new VirtualClock(),
): FakeUsbHost {
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of [...listeners]) queueMicrotask(listener);
  };
  const ports = sticks.map(({ at, device }): Port => ({ at, device, plugged: true, claimed: undefined }));
  const portAt = (at: string) => ports.find((port) => port.at === at && port.plugged);
  return {
    name: "fake",
    async find() {
      return ports.filter(({ plugged }) => plugged).map(found);
    },
    async claim(stick) {
      const port = portAt(stick.at);
      if (port === undefined) throw new UsbHostError("gone", `The stick ${stick.at} is not there any more`);
      if (port.claimed !== undefined) throw new UsbHostError("busy", `The stick ${stick.at} is in use`);
      const claimed = new FakeStick(found(port), port.device, clock, () => {
        port.claimed = undefined;
      });
      port.claimed = claimed;
      return claimed;
    },
    onChange(listener) {
      const own = () => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
    async close() {
      listeners.clear();
      for (const { claimed } of ports) await claimed?.release();
    },
    plug(at) {
      for (const port of ports) if (port.at === at) port.plugged = true;
      tell();
    },
    unplug(at) {
      const port = portAt(at);
      if (port === undefined) return;
      port.plugged = false;
      port.claimed?.unplugged();
      tell();
    },
  };
}

function found({ at, device, claimed }: Port): FoundStick {
  const { device: about, configuration, strings } = device.descriptors;
  const { idVendor: vendorId, idProduct: productId } = about;
  const [manufacturer = "", product = "", serial = ""] = [about.iManufacturer, about.iProduct, about.iSerialNumber].map(
    (index) => strings[index],
  );
  const hasEem = configuration.interfaces.some(({ descriptor }) => isEem(descriptor));
  const isToken = looksLikeToken({ vendorId, productId, hasEem, manufacturer, product });
  const state =
    claimed === undefined ? ({ state: "kernel", driver: "cdc_eem" } as const) : ({ state: "claimed" } as const);
  return { at, vendorId, productId, manufacturer, product, serial, isToken, ...state };
}

class FakeStick implements ClaimedStick {
  readonly stick: FoundStick;
  readonly #device: UsbDevice;
  readonly #transfers: DeviceTransfers;
  readonly #ended: () => void;
  readonly #gone = new Once();
  readonly #rejections = new Set<(error: unknown) => void>();
  #why: string | undefined;

  constructor(stick: FoundStick, device: UsbDevice, clock: Clock, ended: () => void) {
    this.stick = { ...stick, state: "claimed" };
    this.#device = device;
    this.#transfers = new DeviceTransfers(device, clock);
    this.#ended = ended;
    device.busReset();
  }

  control: ClaimedStick["control"] = async (setup, out) => {
    if (this.#why !== undefined) throw this.#error();
    const answer = this.#device.control(setup, out);
    this.#transfers.wake();
    return answer;
  };

  bulkOut: ClaimedStick["bulkOut"] = (ep, data) =>
    this.#transfer((done) => ({ kind: "out", ep, data, zeroPacket: false, done }));

  bulkIn: ClaimedStick["bulkIn"] = (ep, max) => this.#transfer((done) => ({ kind: "in", ep, max, done }));

  onGone: ClaimedStick["onGone"] = (listener) => this.#gone.on(listener);

  async release(): Promise<void> {
    this.#end("was given back");
  }

  unplugged(): void {
    this.#end("was unplugged");
    this.#gone.happen();
  }

  #end(why: string): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#transfers.close();
    this.#device.busReset();
    this.#ended();
    for (const reject of this.#rejections) reject(this.#error());
  }

  #error(): UsbHostError {
    return new UsbHostError("gone", `The stick ${this.stick.at} ${this.#why}`);
  }

  #transfer<T>(make: (done: (result: T) => void) => Transfer): Promise<T> {
    if (this.#why !== undefined) return Promise.reject(this.#error());
    return new Promise((resolve, reject) => {
      this.#rejections.add(reject);
      const done = (result: T) => {
        this.#rejections.delete(reject);
        resolve(result);
      };
      this.#transfers.submit(make(done));
    });
  }
}
