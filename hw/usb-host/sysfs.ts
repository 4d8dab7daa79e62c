/** What Linux shows of USB devices in /sys/bus/usb/devices without opening them. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { isEem } from "./eem-interface.ts";

export const SYSFS_USB = "/sys/bus/usb/devices";

export interface SysfsInterface {
  /** bInterfaceNumber. */
  readonly number: number;
  readonly isEem: boolean;
  /** Undefined when none has it; `usbfs` is a program. */
  readonly driver: string | undefined;
}

async function readHex(path: string): Promise<number> {
  return Number.parseInt(await readFile(path, "utf8"), 16);
}

async function readInterface(folder: string): Promise<SysfsInterface> {
  const read = (name: string) => readHex(join(folder, name));
  const [number, bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol] = await Promise.all([
    read("bInterfaceNumber"),
    read("bInterfaceClass"),
    read("bInterfaceSubClass"),
    read("bInterfaceProtocol"),
  ]);
  const driver = await readlink(join(folder, "driver")).then(basename, () => undefined);
  return { number, isEem: isEem({ bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol }), driver };
}

/** The interfaces of the device `name`, such as 1-2.4, in its present configuration. Undefined when it is not there. */
export async function readInterfaces(name: string, root = SYSFS_USB): Promise<readonly SysfsInterface[] | undefined> {
  const device = join(root, name);
  try {
    const entries = await readdir(device);
    const folders = entries.filter((entry) => entry.startsWith(`${name}:`)).sort();
    return await Promise.all(folders.map((folder) => readInterface(join(device, folder))));
  } catch (error) {
    if (isMissing(error)) return undefined; // unplugged meanwhile
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENODEV");
}
