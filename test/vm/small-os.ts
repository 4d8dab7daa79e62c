/** A computer that boots the small OS: launched before QEMU starts, with a disk, a TPM and a socket for its stick. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../attester/cli/os/run.ts";
import { sampleLoader } from "../../attester/dlme/index.ts";
import type { Cast } from "../e2e/cast.ts";
import type { Process } from "../support/process.ts";
import type { Accelerator } from "./guest.ts";
import { FIRMWARE_WITHOUT_TPM, MACHINE, usbredirDevices } from "./scene.ts";
import { type LaunchLogs, launch, openForQemu } from "./tpm.ts";

const MEMORY_MB = 1024;
const DISK_MB = 96;

/** What the boot loader starts, and what is measured: these very bytes. */
export interface BootFiles {
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  readonly commandLine: string;
}

/** What the gate starts. */
export interface TargetFiles {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

export interface SmallOsOptions {
  readonly cast: Cast;
  readonly name: string;
  readonly accelerator: Accelerator;
  /** The TPM's folder; the same for each start of one computer. */
  readonly tpm: string;
  readonly boot: BootFiles;
  readonly target: TargetFiles;
}

export interface SmallOs {
  readonly console: Process;
  /** Where it looks for its stick. */
  readonly socket: string;
  stop(): Promise<void>;
}

export function readBootFiles(folder: string, commandLine: string): BootFiles {
  const read = (name: string) => readFileSync(join(folder, name));
  return { kernel: read("vmlinuz"), initrd: read("initrd.img"), commandLine };
}

/** Power on, launch, start. */
export async function startSmallOs({ cast, name, accelerator, tpm, boot, target }: SmallOsOptions): Promise<SmallOs> {
  const folder = cast.path(name);
  mkdirSync(folder, { recursive: true });
  const logs = await launch(tpm, { loader: sampleLoader(), ...boot });
  const disk = await makeDisk(folder, target, logs);
  const [kernel, initrd] = [join(folder, "kernel"), join(folder, "initrd")];
  writeFileSync(kernel, boot.kernel);
  writeFileSync(initrd, boot.initrd);
  const socket = join(folder, "stick.sock");
  const chip = await openForQemu(tpm);
  const console = cast.processes.start(
    [
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "pc", "-smp", "1"],
      ...["-accel", accelerator, "-cpu", accelerator === "kvm" ? "host" : "max", "-m", String(MEMORY_MB)],
      ...["-kernel", kernel, "-initrd", initrd, "-append", boot.commandLine, "-serial", "stdio"],
      ...["-drive", `file=${disk},format=raw,if=virtio,readonly=on`],
      ...[...FIRMWARE_WITHOUT_TPM, ...MACHINE, ...usbredirDevices(socket), ...chip.devices],
    ],
    { command: ["qemu-system-x86_64"] },
  );
  return {
    console,
    socket,
    async stop() {
      await console.kill();
      writeFileSync(cast.path(`${name}.console`), console.lines.join("\n"));
      await chip.stop();
    },
  };
}

/** The folder that fobnail.target names, in a file system of its own. */
async function makeDisk(folder: string, target: TargetFiles, logs: LaunchLogs): Promise<string> {
  const files = join(folder, "disk", "fobnail");
  mkdirSync(files, { recursive: true });
  copyFileSync(target.kernel, join(files, "vmlinuz"));
  copyFileSync(target.initrd, join(files, "initrd.img"));
  writeFileSync(join(files, "cmdline"), target.commandLine);
  writeFileSync(join(files, "firmware.log"), logs.firmware);
  writeFileSync(join(files, "drtm.log"), logs.drtm);
  const disk = join(folder, "disk.img");
  await run("mke2fs", ["-q", "-F", "-t", "ext4", "-d", join(folder, "disk"), disk, `${DISK_MB}M`]);
  return disk;
}
