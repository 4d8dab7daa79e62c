import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";
import { realClock } from "../clock/real.ts";
import { looksLikeToken, TOKEN_PRODUCT, TOKEN_VENDOR } from "./eem-interface.ts";
import { NodeUsbStick } from "./node-usb-stick.ts";
import { PollChanges } from "./poll-changes.ts";
import { readInterfaces, SYSFS_USB, type SysfsInterface } from "./sysfs.ts";
import { type ClaimedStick, type FoundStick, type StickState, type UsbHost, UsbHostError } from "./usb-host.ts";
import { loadWebUsb, problemOf, type WebUsb, type WebUsbDevice, type WebUsbHotplug } from "./web-usb.ts";

/** All have a default; tests and unusual machines set them. */
export interface NodeUsbHostOptions {
  readonly load?: () => Promise<WebUsb>;
  readonly platform?: NodeJS.Platform;
  readonly sysfs?: string;
  readonly devices?: string;
  readonly clock?: Clock;
  readonly inTimeoutMs?: number;
}

const LOOK_EVERY_MS = 1_000;
const IN_TIMEOUT_MS = 500;
/** What a device or its driver brings with it comes in several events. */
const EVENTS_WITHIN_MS = 50;

/** The sticks of this machine, by node-usb: Linux, macOS and Windows, without root where the system lets the user have them. */
export function createNodeUsbHost(options: NodeUsbHostOptions = {}): UsbHost {
  return new NodeUsbHost(options);
}

/** A rule that lets whoever sits at the machine, and the group plugdev, have the stick. */
export const UDEV_RULE_FILE = "/etc/udev/rules.d/70-fobnail.rules";
export const UDEV_RULE =
  'SUBSYSTEM=="usb", ATTR{idVendor}=="1234", ATTR{idProduct}=="4321", MODE="0660", GROUP="plugdev", TAG+="uaccess"';

interface Seen {
  readonly device: WebUsbDevice;
  readonly found: FoundStick;
  readonly eem: SysfsInterface | undefined;
}

class NodeUsbHost implements UsbHost {
  readonly name = "USB";
  readonly #load: () => Promise<WebUsb>;
  readonly #platform: NodeJS.Platform;
  readonly #sysfs: string;
  readonly #devices: string;
  readonly #clock: Clock;
  readonly #inTimeoutMs: number;
  readonly #changes: PollChanges;
  readonly #listeners = new Set<() => void>();
  readonly #claimed = new Set<NodeUsbStick>();
  #webUsb: Promise<WebUsb> | undefined;
  #watch: Promise<Unsubscribe> | undefined;
  #toldSoon = false;

  constructor(options: NodeUsbHostOptions) {
    const { platform = process.platform, clock = realClock } = options;
    this.#platform = platform;
    this.#sysfs = options.sysfs ?? SYSFS_USB;
    this.#load = options.load ?? (() => loadWebUsb(platform, this.#sysfs));
    this.#devices = options.devices ?? "/dev/bus/usb";
    this.#clock = clock;
    this.#inTimeoutMs = options.inTimeoutMs ?? IN_TIMEOUT_MS;
    this.#changes = new PollChanges(() => this.find(), clock, LOOK_EVERY_MS);
  }

  async find(): Promise<readonly FoundStick[]> {
    const seen = await this.#look();
    return seen.map(({ found }) => found);
  }

  async claim(stick: FoundStick): Promise<ClaimedStick> {
    const seen = (await this.#look()).find(({ found }) => found.at === stick.at);
    if (seen === undefined) throw new UsbHostError("gone", `The stick ${stick.at} is not there any more`);
    const { device, eem } = seen;
    await this.#mayOpen(stick.at, device);
    const number = eem?.number ?? 0;
    const giveBack = seen.found.state === "kernel";
    try {
      await device.open();
      if (giveBack) await detach(device, number);
      await device.claimInterface(number);
    } catch (error) {
      if (giveBack && problemOf(error) !== "gone") await attach(device, number);
      await device.close().catch(() => undefined); // why it cannot be had is known
      throw this.#refused(stick.at, device, error);
    }
    const claimed = new NodeUsbStick({
      stick: seen.found,
      device,
      number,
      giveBack,
      inTimeoutMs: this.#inTimeoutMs,
      ended: () => this.#ended(claimed),
    });
    this.#claimed.add(claimed);
    this.#watchOrNot();
    return claimed;
  }

  onChange(listener: () => void): Unsubscribe {
    const own = () => listener();
    this.#listeners.add(own);
    this.#watchOrNot();
    return () => {
      this.#listeners.delete(own);
      this.#watchOrNot();
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([...this.#claimed].map((stick) => stick.release()));
    const watch = this.#watch;
    this.#watchOrNot();
    await watch;
  }

  // ---- looking

  async #devicesNow(): Promise<readonly WebUsbDevice[]> {
    this.#webUsb ??= this.#load();
    try {
      const webUsb = await this.#webUsb;
      return await webUsb.getDevices();
    } catch (cause) {
      if (cause instanceof UsbHostError) throw cause;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new UsbHostError("unsupported", `The USB devices of this machine cannot be seen: ${text}`, { cause });
    }
  }

  async #look(): Promise<readonly Seen[]> {
    const seen = await Promise.all((await this.#devicesNow()).map((device) => this.#seen(device)));
    return seen.filter((one) => one !== undefined);
  }

  /** Undefined when it is neither a token nor like one. */
  async #seen(device: WebUsbDevice): Promise<Seen | undefined> {
    const { vendorId, productId, bus, address, ports } = device;
    const isLinux = this.#platform === "linux";
    const at = ports.length > 0 ? `${Number.parseInt(bus, 10) || bus}-${ports.join(".")}` : `${bus}-${address}`;
    const interfaces = isLinux ? await readInterfaces(at, this.#sysfs) : undefined;
    const eem = interfaces?.find((one) => one.isEem);
    const hasIds = vendorId === TOKEN_VENDOR && productId === TOKEN_PRODUCT;
    if (!hasIds && eem === undefined) return undefined;
    const manufacturer = nameOf(() => device.manufacturerName);
    const product = nameOf(() => device.productName);
    const serial = nameOf(() => device.serialNumber);
    const hasEem = interfaces === undefined ? undefined : eem !== undefined;
    const isToken = looksLikeToken({ vendorId, productId, hasEem, manufacturer, product });
    const found: FoundStick = {
      at,
      vendorId,
      productId,
      ...(manufacturer !== undefined && { manufacturer }),
      ...(product !== undefined && { product }),
      ...(serial !== undefined && { serial }),
      ...stateOf(interfaces, eem),
      isToken,
    };
    return { device, found, eem };
  }

  // ---- permissions and refusals

  #node({ bus, address }: WebUsbDevice): string {
    return join(this.#devices, bus.padStart(3, "0"), `${address}`.padStart(3, "0"));
  }

  async #mayOpen(at: string, device: WebUsbDevice): Promise<void> {
    if (this.#platform !== "linux") return;
    try {
      await access(this.#node(device), constants.R_OK | constants.W_OK);
    } catch (cause) {
      const isDenied = cause instanceof Error && "code" in cause && cause.code === "EACCES";
      if (isDenied) throw this.#denied(at, device, cause); // otherwise opening says what is wrong
    }
  }

  #refused(at: string, device: WebUsbDevice, cause: unknown): UsbHostError {
    const problem = problemOf(cause);
    if (problem === "permission") return this.#denied(at, device, cause);
    if (problem === "busy") return new UsbHostError("busy", `The stick ${at} is in use by another program`, { cause });
    const text = cause instanceof Error ? cause.message : String(cause);
    return new UsbHostError("gone", `The stick ${at} cannot be had: ${text}`, { cause });
  }

  #denied(at: string, device: WebUsbDevice, cause: unknown): UsbHostError {
    if (this.#platform !== "linux") {
      return new UsbHostError("permission", `The system does not let this user have the stick ${at}`, { cause });
    }
    const rule = `  ${UDEV_RULE}`;
    const say = `This user may not open the stick ${at} (${this.#node(device)}). As root, write this line into ${UDEV_RULE_FILE}:`;
    return new UsbHostError(
      "permission",
      `${say}\n${rule}\nthen run "udevadm control --reload" and plug the stick in again`,
      {
        cause,
      },
    );
  }

  // ---- watching

  #ended(stick: NodeUsbStick): void {
    this.#claimed.delete(stick);
    this.#watchOrNot();
  }

  #watchOrNot(): void {
    const wanted = this.#listeners.size > 0 || this.#claimed.size > 0;
    if (wanted === (this.#watch !== undefined)) return;
    const before = this.#watch;
    this.#watch = wanted ? this.#beginWatching() : undefined;
    void before?.then((stop) => stop());
  }

  /** By the system's events; where it has none, by looking now and then. */
  async #beginWatching(): Promise<Unsubscribe> {
    let hotplug: WebUsbHotplug | undefined;
    try {
      this.#webUsb ??= this.#load();
      hotplug = (await this.#webUsb).createHotplug();
      await hotplug.addAttach(() => this.#somethingChanged());
      await hotplug.addDetach(() => this.#somethingChanged());
      const watching = hotplug;
      return () => void endHotplug(watching);
    } catch {
      // No events here: `find` says why, if nothing can be seen at all.
      if (hotplug !== undefined) await endHotplug(hotplug);
      return this.#changes.on(() => void this.#check());
    }
  }

  #somethingChanged(): void {
    if (this.#toldSoon) return;
    this.#toldSoon = true;
    this.#clock.after(EVENTS_WITHIN_MS, () => {
      this.#toldSoon = false;
      void this.#check();
    });
  }

  async #check(): Promise<void> {
    const handles = await this.#devicesNow().then(
      (devices) => new Set(devices.map(({ handle }) => handle)),
      () => new Set<string>(),
    );
    for (const stick of [...this.#claimed]) if (!handles.has(stick.handle)) stick.lost();
    for (const listener of [...this.#listeners]) listener();
  }
}

async function endHotplug(hotplug: WebUsbHotplug): Promise<void> {
  for (const end of [() => hotplug.removeAttach(), () => hotplug.removeDetach()]) {
    await end().catch(() => undefined); // nothing was added then
  }
}

/** The driver may have let go of it since it was looked at. */
async function detach(device: WebUsbDevice, number: number): Promise<void> {
  try {
    await device.detachKernelDriver(number);
  } catch (error) {
    if (problemOf(error) !== "none-attached") throw error;
  }
}

/** Puts back what was, as far as that is possible: the reason why it is done is the one that counts. */
async function attach(device: WebUsbDevice, number: number): Promise<void> {
  await device.attachKernelDriver(number).catch(() => undefined);
}

/** Undefined where the device would have to be opened for it and may not. */
function nameOf(read: () => string | null | undefined): string | undefined {
  try {
    return read() ?? undefined;
  } catch {
    return undefined; // not known is an answer
  }
}

function stateOf(
  interfaces: readonly SysfsInterface[] | undefined,
  eem: SysfsInterface | undefined,
): { readonly state: StickState; readonly driver?: string } {
  const driver = eem?.driver ?? interfaces?.find((one) => one.driver !== undefined)?.driver;
  if (interfaces === undefined) return { state: "unknown" };
  if (driver === undefined) return { state: "free" };
  return driver === "usbfs" ? { state: "claimed" } : { state: "kernel", driver };
}
