import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../shared/ports/index.ts";

/** The ports of Linux' vhci-hcd, into which USB/IP devices are plugged (drivers/usb/usbip/vhci_sysfs.c). */

/** VDEV_ST_ of usbip_common.h. */
const Status = { Free: 4, NotAssigned: 5, Used: 6, Error: 7 } as const;

/** For devices up to high speed: their root hub is called hs. */
const HUB = "hs";
/** A controller's ports are in a file of their own; distributions have 1 to 8 of them. */
const MAX_CONTROLLERS = 128;

const LOOK_EVERY_MS = 100;

export interface VhciPort {
  readonly number: number;
  readonly status: number;
  /** What Linux calls the device in it, such as 3-1. */
  readonly busid: string;
}

/** permission: not root. absent: vhci-hcd is not loaded. full: no port is free. refused: the kernel does not want it. */
export class VhciError extends Error {
  override readonly name = "VhciError";
  readonly reason: "permission" | "absent" | "full" | "refused";

  constructor(reason: VhciError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** What vhci-hcd is told of a device. */
export interface VhciDevice {
  /** Of a connected stream socket of this process, with nothing unread. */
  readonly fd: number;
  /** Bus number and device number at the server. */
  readonly busnum: number;
  readonly devnum: number;
  /** enum usb_device_speed of Linux. */
  readonly speed: number;
}

export interface Vhci {
  /** Those for devices up to high speed. */
  ports(): readonly VhciPort[];
  /** Plugs it into a free port; the number of the port. The kernel has the socket then, too: ours may be closed. */
  attach(device: VhciDevice): number;
  detach(port: number): void;
  /** What Linux calls the device in the port, once it has taken it up; undefined when it has not in that time. */
  busidOf(port: number, clock: Clock, withinMs: number): Promise<string | undefined>;
  /** The network interface of a device, once a driver has made one; undefined when none has in that time. */
  interfaceOf(busid: string, clock: Clock, withinMs: number): Promise<string | undefined>;
}

/** Throws VhciError. `root` is where sysfs is, for tests. */
export function openVhci(root = "/sys"): Vhci {
  const folder = join(root, "devices/platform/vhci_hcd.0");
  if (!existsSync(folder)) {
    throw new VhciError(
      "absent",
      `This kernel has vhci-hcd not loaded (${folder} is not there); as root: modprobe vhci-hcd`,
    );
  }
  demandRoot(join(folder, "attach"));
  const ports = () => statusFiles(folder).flatMap((file) => parsePorts(file));
  const used = (number: number) => ports().find((port) => port.number === number && port.status === Status.Used);
  return {
    ports,
    attach: (device) => attachTo(folder, ports(), device),
    detach(port) {
      tell(join(folder, "detach"), `${port}`, `port ${port} is not in use, or no port at all`);
    },
    busidOf: (number, clock, withinMs) =>
      until(clock, withinMs, () => {
        const busid = used(number)?.busid;
        return busid !== undefined && existsSync(join(root, "bus/usb/devices", busid)) ? busid : undefined;
      }),
    interfaceOf: (busid, clock, withinMs) => until(clock, withinMs, () => interfaceBelow(root, busid)),
  };
}

/** Before a server is asked for a stick that could not be plugged in. */
function demandRoot(file: string): void {
  try {
    accessSync(file, constants.W_OK);
  } catch (cause) {
    throw refusal(codeOf(cause), "it cannot be told of devices", cause);
  }
}

function statusFiles(folder: string): readonly string[] {
  const texts: string[] = [];
  for (let controller = 0; controller < MAX_CONTROLLERS; controller++) {
    const file = join(folder, controller === 0 ? "status" : `status.${controller}`);
    if (controller > 0 && !existsSync(file)) break;
    texts.push(readFileSync(file, "utf8"));
  }
  return texts;
}

/** `hub port sta spd dev sockfd local_busid`, then a line for each port. */
function parsePorts(text: string): readonly VhciPort[] {
  return text.split("\n").flatMap((line) => {
    const [hub, number, status, , , , busid] = line.trim().split(/\s+/);
    if (hub !== HUB || number === undefined || status === undefined || busid === undefined) return [];
    return [{ number: Number.parseInt(number, 10), status: Number.parseInt(status, 10), busid }];
  });
}

function attachTo(folder: string, ports: readonly VhciPort[], { fd, busnum, devnum, speed }: VhciDevice): number {
  const devid = ((busnum << 16) | devnum) >>> 0;
  for (const { number, status } of ports) {
    if (status !== Status.Free) continue;
    try {
      tell(join(folder, "attach"), `${number} ${fd} ${devid} ${speed}`, "the kernel does not want the device");
      return number;
    } catch (error) {
      if (!isBusy(error)) throw error; // somebody else was faster
    }
  }
  throw new VhciError("full", `All ${ports.length} ports of vhci-hcd are in use`);
}

const isBusy = (error: unknown): boolean =>
  error instanceof VhciError && error.cause instanceof Error && codeOf(error.cause) === "EBUSY";

function tell(file: string, text: string, problem: string): void {
  try {
    const fd = openSync(file, constants.O_WRONLY);
    try {
      writeSync(fd, text); // one write is one command
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw refusal(codeOf(cause), problem, cause);
  }
}

function refusal(code: string, problem: string, cause: unknown): VhciError {
  if (code === "EACCES" || code === "EPERM") {
    return new VhciError("permission", "Only root may plug sticks into vhci-hcd", { cause });
  }
  return new VhciError("refused", `vhci-hcd: ${problem} (${code})`, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

/** Of any interface of the device's configuration: `3-1:1.0/net/usb0`. */
function interfaceBelow(root: string, busid: string): string | undefined {
  const devices = join(root, "bus/usb/devices");
  for (const device of namesIn(devices)) {
    if (!device.startsWith(`${busid}:`)) continue;
    const [name] = namesIn(join(devices, device, "net"));
    if (name !== undefined) return name;
  }
  return undefined;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it is not there yet
  }
}

async function until<T>(clock: Clock, withinMs: number, look: () => T | undefined): Promise<T | undefined> {
  const end = clock.now() + withinMs;
  for (;;) {
    const found = look();
    if (found !== undefined || clock.now() >= end) return found;
    await new Promise<void>((resolve) => {
      clock.after(LOOK_EVERY_MS, resolve);
    });
  }
}
