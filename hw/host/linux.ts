import { open, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { fromHex } from "../../shared/bytes/index.ts";

/** What Linux shows of the machine under /sys: the raw SMBIOS tables and the network interfaces. */

/** A network interface; `pci` is the address of the PCI function it hangs on, undefined for USB and virtual ones. */
export interface HostInterface {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly pci: string | undefined;
}

export interface HostFiles {
  smbiosEntryPoint(): Promise<Uint8Array>;
  smbiosTable(): Promise<Uint8Array>;
  networkInterfaces(): Promise<readonly HostInterface[]>;
}

const MAX_TABLE_BYTES = 1 << 20;
const MAX_INTERFACES = 1024;
/** ARPHRD_ETHER, linux/if_arp.h. */
const ETHERNET = "1";
const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A sentence instead of the bare system error. */
function sentence(path: string, error: unknown): Error {
  const code = codeOf(error);
  const why =
    code === "ENOENT" || code === "ENOTDIR"
      ? `${path} is not there: this machine shows no SMBIOS tables`
      : code === "EACCES" || code === "EPERM"
        ? `${path} is readable by root only`
        : `cannot read ${path}: ${code ?? String(error)}`;
  return new Error(why, { cause: error });
}

/** At most `max` bytes: files of /sys do not tell their size. */
async function readBounded(path: string, max: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const buffer = new Uint8Array(max + 1);
    let size = 0;
    while (size <= max) {
      const { bytesRead } = await file.read(buffer, size, max + 1 - size, null);
      if (bytesRead === 0) return buffer.slice(0, size);
      size += bytesRead;
    }
  } catch (error) {
    throw sentence(path, error);
  }
  throw new Error(`${path} holds more than ${max} bytes`);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch {
    return undefined; // an attribute that an interface does not have, or an interface that just went away
  }
}

async function linkName(path: string): Promise<string | undefined> {
  try {
    return basename(await readlink(path));
  } catch {
    return undefined; // virtual interfaces have no device
  }
}

/** The PCI function of an interface: its device, or the parent of a virtio device (the card of a virtual machine). */
async function pciAddress(interfacePath: string): Promise<string | undefined> {
  const device = join(interfacePath, "device");
  const bus = await linkName(join(device, "subsystem"));
  if (bus !== "pci" && bus !== "virtio") return undefined;
  const path = await realpath(device);
  const name = basename(bus === "pci" ? path : join(path, ".."));
  return PCI_ADDRESS.test(name) ? name : undefined;
}

async function readInterface(path: string, name: string): Promise<HostInterface | undefined> {
  if ((await readText(join(path, "type"))) !== ETHERNET) return undefined;
  const mac = fromHex(((await readText(join(path, "address"))) ?? "").replaceAll(":", ""));
  return mac?.byteLength === 6 ? { name, mac, pci: await pciAddress(path) } : undefined;
}

/** The machine's files; `root` is where /sys is, for tests. */
export function linuxHost(root = "/sys"): HostFiles {
  const tables = join(root, "firmware/dmi/tables");
  return {
    smbiosEntryPoint: () => readBounded(join(tables, "smbios_entry_point"), 64),
    smbiosTable: () => readBounded(join(tables, "DMI"), MAX_TABLE_BYTES),
    async networkInterfaces() {
      const folder = join(root, "class/net");
      const names = await readdir(folder).catch((error: unknown) => {
        throw new Error(`cannot list ${folder}: ${codeOf(error) ?? String(error)}`, { cause: error });
      });
      const found: HostInterface[] = [];
      for (const name of names.sort().slice(0, MAX_INTERFACES)) {
        const card = await readInterface(join(folder, name), name);
        if (card !== undefined) found.push(card);
      }
      return found;
    },
  };
}
