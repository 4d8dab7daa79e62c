/** The small OS: Debian's kernel, and an initramfs with Debian's programs, Node and this attester. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { concat, utf8 } from "../../../shared/bytes/index.ts";
import { type ArchiveEntry, archive } from "./cpio.ts";
import { findPackages, type Package, type Say, unpacked } from "./debian.ts";
import { INIT, OS_PATHS } from "./init.ts";
import { findKernel, type Kernel } from "./kernel.ts";
import { librariesOf } from "./libraries.ts";
import { aliasTable, dependencyTable } from "./modules.ts";
import { type ProgramSources, programFiles } from "./program-files.ts";

/** With the libraries that they need. Node's are not known by a package: it may come from elsewhere. */
const PACKAGES = ["busybox-static", "kexec-tools", "libstdc++6"];

/** What the small OS drives: sticks, disks with the target, and the cards that a computer is known by. TPM drivers are built in. */
export const OS_MODULES: readonly string[] = [
  ...["xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd", "cdc_eem"],
  ...["ahci", "nvme", "sd_mod", "sdhci_pci", "mmc_block", "usb_storage", "virtio_pci", "virtio_blk"],
  ...["ext4", "crc32c_generic", "vfat", "nls_cp437", "nls_ascii"],
  ...["igb", "e1000", "e1000e", "r8169", "virtio_net"],
];

export interface OsImage {
  readonly kernel: Kernel;
  /** The compressed archive. */
  readonly initrd: Uint8Array;
  /** What it was made of, a line each. */
  readonly parts: readonly string[];
}

export interface OsSources extends ProgramSources {
  readonly version: string;
  /** The program of Node. */
  readonly node: string;
}

/** The same bytes for the same sources, packages and Node. */
export async function buildImage(sources: OsSources, say: Say): Promise<OsImage> {
  const kernel = await findKernel(OS_MODULES, say);
  const packages = await findPackages(PACKAGES, say);
  const roots = new Map<string, string>();
  for (const one of packages) roots.set(one.name, await unpacked(one));
  const parts = partsOf(kernel, packages);
  const entries = [
    ...scripts(sources, parts),
    ...programs(sources, roots),
    ...kernelModules(kernel),
    ...programFiles(sources, OS_PATHS.package.slice(1)),
  ];
  // Node's gzip has no name and no time in its header.
  return { kernel, initrd: gzipSync(concat(...archive(entries)), { level: 6 }), parts };
}

function partsOf(kernel: Kernel, packages: readonly Package[]): readonly string[] {
  const debs = packages.map(({ file }) => basename(file, ".deb"));
  return [kernel.packageName, ...debs, `node ${process.version}`];
}

const written = (path: string, text: string, executable = false): ArchiveEntry => ({
  ...{ kind: "file", path, data: utf8(text), executable },
});

function scripts({ version }: OsSources, parts: readonly string[]): readonly ArchiveEntry[] {
  return [
    written("init", INIT, true),
    written("etc/fobnail-version", `${version}\n`),
    written("etc/fobnail-parts", `${parts.join("\n")}\n`),
    { kind: "link", path: "bin/sh", to: "busybox" },
    { kind: "link", path: "sbin/modprobe", to: "/bin/busybox" }, // the kernel's own requests
  ];
}

function programs({ node }: OsSources, roots: ReadonlyMap<string, string>): readonly ArchiveEntry[] {
  const inPackage = (name: string, path: string) => join(roots.get(name) ?? "", path);
  const kexec = inPackage("kexec-tools", "sbin/kexec");
  const program = (path: string, from: string): ArchiveEntry => ({
    ...{ kind: "file", path, data: readFileSync(from), executable: true },
  });
  const libraries = librariesOf([node, kexec], [...roots.values(), "/"]);
  const loader = [...libraries.keys()].find((name) => name.startsWith("ld-linux"));
  if (loader === undefined) throw new Error("no program loader among the libraries");
  return [
    program("bin/busybox", inPackage("busybox-static", "bin/busybox")),
    program("sbin/kexec", kexec),
    program(OS_PATHS.node.slice(1), node),
    ...[...libraries].map(([name, from]) => program(`lib/x86_64-linux-gnu/${name}`, from)),
    { kind: "link", path: `lib64/${loader}`, to: `../lib/x86_64-linux-gnu/${loader}` },
  ];
}

function kernelModules(kernel: Kernel): readonly ArchiveEntry[] {
  const modules = kernel.modules(OS_MODULES);
  const folder = `lib/modules/${kernel.version}`;
  return [
    written(`${folder}/modules.dep`, dependencyTable(modules)),
    written(`${folder}/modules.alias`, aliasTable(modules)),
    ...modules.map((module): ArchiveEntry => {
      const path = `${folder}/kernel/${module.name}.ko`;
      return { kind: "file", path, data: readFileSync(kernel.moduleFile(module)) };
    }),
  ];
}
