/** Debian's kernel, downloaded and unpacked into a cache folder; nothing is installed, and no root is needed. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { decode, fixed, Reader, struct, u32le } from "../../shared/bytes/index.ts";
import { onPath } from "./programs.ts";
import { run } from "./run.ts";

const META_PACKAGE = "linux-image-amd64";

/** In the order in which they are loaded: each behind those that it needs. */
const FILE_SYSTEM_MODULES = [
  ...["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"],
  ...["9pnet", "9pnet_virtio", "netfs", "fscache", "9p"],
];
const USB_MODULES = ["usb-common", "usbcore", "xhci-hcd", "xhci-pci", "mii", "usbnet", "cdc_eem"];
/** Loaded at the start. */
export const MODULES: readonly string[] = [...FILE_SYSTEM_MODULES, ...USB_MODULES, "e1000"];
/** Loaded where USB/IP is tried: its eight host controllers take their time. */
export const USBIP_MODULES: readonly string[] = ["usbip-core", "vhci-hcd"];
export const ALL_MODULES: readonly string[] = [...MODULES, ...USBIP_MODULES];

export interface Kernel {
  readonly version: string;
  /** `vmlinux` starts by PVH, which takes no time; `bzImage` unpacks itself in the guest. */
  readonly image: string;
  readonly kind: "vmlinux" | "bzImage";
  /** By the names of ALL_MODULES. */
  module(name: string): string;
}

export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "fobnail", "vm");
}

const packageName = (line: string) => /linux-image-[0-9][^ ]*-amd64/.exec(line)?.[0];

/** The newest kernel that apt knows; without apt, the newest of the cache. */
export async function findKernel(say: (line: string) => void): Promise<Kernel> {
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true });
  const named = await newestPackage();
  if (named === undefined) {
    const cached = readdirSync(cache).filter(
      (name) => packageName(name) === name && existsSync(join(cache, name, "ready")),
    );
    const last = cached.sort().at(-1);
    if (last === undefined)
      throw new Error(`apt knows no ${META_PACKAGE} (apt-get update?), and ${cache} holds no kernel`);
    return kernelIn(join(cache, last));
  }
  const folder = join(cache, named);
  if (!existsSync(join(folder, "ready"))) await download(named, folder, say);
  return kernelIn(folder);
}

async function newestPackage(): Promise<string | undefined> {
  try {
    return packageName((await run("apt-cache", ["depends", META_PACKAGE])).toString());
  } catch {
    return undefined; // no apt here, or no list of packages
  }
}

function kernelIn(folder: string): Kernel {
  const kind = existsSync(join(folder, "vmlinux")) ? "vmlinux" : "bzImage";
  const version = packageName(folder)?.slice("linux-image-".length) ?? "";
  return { version, kind, image: join(folder, kind), module: (name) => join(folder, `${name}.ko`) };
}

/** Everything, or nothing: the folder gets its name last. */
async function download(named: string, folder: string, say: (line: string) => void): Promise<void> {
  const work = mkdtempSync(join(cacheFolder(), "work-"));
  try {
    say(`Downloading ${named} (about 70 MB, once) into ${cacheFolder()} ...`);
    await run("apt-get", ["download", "-q", named], work);
    const [deb = ""] = readdirSync(work);
    await run("dpkg-deb", ["-x", deb, "unpacked"], work);
    const ready = join(work, "kernel");
    mkdirSync(ready);
    const root = join(work, "unpacked");
    collectModules(root, ready);
    await takeImage(root, ready);
    writeFileSync(join(ready, "ready"), "");
    rmSync(folder, { recursive: true, force: true });
    renameSync(ready, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function collectModules(root: string, into: string): void {
  const found = new Map<string, string>();
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const [, module] = /([^/]+)\.ko$/.exec(name) ?? [];
    if (module !== undefined) found.set(module, join(root, name));
  }
  for (const module of ALL_MODULES) {
    const file = found.get(module);
    if (file === undefined) throw new Error(`this kernel has no module ${module}: its name or compression has changed`);
    renameSync(file, join(into, `${module}.ko`));
  }
}

async function takeImage(root: string, into: string): Promise<void> {
  const boot = join(root, "boot");
  const name = readdirSync(boot).find((one) => one.startsWith("vmlinuz-"));
  if (name === undefined) throw new Error("the package has no vmlinuz");
  const bzImage = readFileSync(join(boot, name));
  const payload = payloadOf(bzImage);
  if (onPath("xz") && isXz(payload)) {
    const packed = join(into, "vmlinux.xz");
    writeFileSync(packed, payload);
    await run("xz", ["--decompress", packed]);
  } else renameSync(join(boot, name), join(into, "bzImage"));
}

const isXz = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 6)).toString("hex") === "fd377a585a00";

/** The fields of the setup header (Documentation/arch/x86/boot.rst) that say where the compressed kernel is. */
const SetupSectors = struct("setup header", { before: fixed(0x1f1), setupSects: fixed(1) });
const Payload = struct("setup header", { before: fixed(0x248), offset: u32le, length: u32le });
const SECTOR_BYTES = 512;
const SIZE_BEHIND_PAYLOAD_BYTES = 4;

function payloadOf(bzImage: Uint8Array): Uint8Array {
  const [sectors = 0] = decode(SetupSectors, bzImage.subarray(0, 0x1f2)).setupSects;
  const { offset, length } = decode(Payload, bzImage.subarray(0, 0x250));
  const from = new Reader(bzImage);
  from.bytes((sectors + 1) * SECTOR_BYTES + offset);
  return from.bytes(length - SIZE_BEHIND_PAYLOAD_BYTES);
}
