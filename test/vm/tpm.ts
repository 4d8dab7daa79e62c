/** The guest's TPM: swtpm behind QEMU's tpm-tis, with or without a launch that happened before QEMU started. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { untilClockIsSafe } from "../../attester/cli/safe-clock.ts";
import { bootMeasured, type LaunchFiles, measurementsOf, sampleLaunch } from "../../attester/dlme/index.ts";
import { builtInProfiles } from "../../attester/platform/index.ts";
import { createTpmClient } from "../../attester/tpm/index.ts";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { openSwtpm } from "../../hw/tpm/swtpm.ts";
import { openSwtpmControl } from "../../hw/tpm/swtpm-control.ts";
import { encodeTcgLog } from "../../shared/event-log/index.ts";
import type { Cast } from "../e2e/cast.ts";
import { startSwtpm } from "../support/swtpm.ts";

const READY_WITHIN_MS = 5_000;
const POLL_MS = 10;
const NO_LOG = { write: () => undefined };

export interface GuestTpm {
  /** QEMU's arguments. */
  readonly devices: readonly string[];
  stop(): Promise<void>;
}

/** A TPM with EK certificates, in a folder of its own below the cast's; the vendor's root is `vendor-root.pem` in `vendor`. */
export async function manufacture(cast: Cast, name: string): Promise<string> {
  const directory = cast.path(name);
  mkdirSync(directory);
  const swtpm = await startSwtpm({ directory });
  try {
    await cast.command("tpm", "manufacture", "--tpm", swtpm.spec, "--out", cast.path("vendor"));
  } finally {
    await swtpm.stop();
  }
  return directory;
}

export function copyTpm(from: string, to: string): string {
  cpSync(from, to, { recursive: true, filter: (source) => !source.endsWith(".sock") });
  return to;
}

/** What a launch leaves for those who want to explain it: the files of its logs. */
export interface LaunchLogs {
  readonly firmware: Uint8Array;
  readonly drtm: Uint8Array;
}

/**
 * Power on, the firmware's measurements of the walk-through's computer and the launch of these files. The volatile state is put
 * on disk, where QEMU's INIT finds it: a launch on the very instance that QEMU uses would be lost by that INIT.
 */
export async function launch(directory: string, files: LaunchFiles = sampleLaunch()): Promise<LaunchLogs> {
  const swtpm = await startSwtpm({ directory });
  try {
    const control = await openSwtpmControl(swtpm.control);
    const transport = await openSwtpm(swtpm.data);
    const client = createTpmClient(transport, { random: systemRandom, clock: realClock, log: NO_LOG });
    await client.startUp({ platform: control, own: true });
    await untilClockIsSafe(client, () => undefined); // the machine before was killed
    const firmware = builtInProfiles.get("apu2")?.firmware ?? [];
    const outcome = await bootMeasured(client, control, measurementsOf({ firmware, launch: files }), "orderly");
    if (!outcome.ok) throw new Error(outcome.detail);
    await control.storeVolatile();
    await transport.close();
    await control.close();
    const [srtm, drtm] = outcome.logs.map(encodeTcgLog);
    if (srtm === undefined || drtm === undefined) throw new Error("a launch has two logs");
    return { firmware: srtm, drtm };
  } finally {
    await swtpm.stop();
  }
}

/** The directory's TPM for one QEMU. */
export async function openForQemu(directory: string): Promise<GuestTpm> {
  const socket = join(directory, "qemu.sock");
  rmSync(socket, { force: true }); // of the swtpm before
  const child = spawn(
    "swtpm",
    ["socket", "--tpm2", "--tpmstate", `dir=${directory}`, "--ctrl", `type=unixio,path=${socket}`],
    { stdio: "ignore" },
  );
  const killAtEnd = () => child.kill("SIGKILL");
  process.once("exit", killAtEnd);
  const ended = once(child, "exit").then(() => process.off("exit", killAtEnd));
  await untilThere(socket, child);
  return {
    devices: [
      ...["-chardev", `socket,id=tpm,path=${socket}`, "-tpmdev", "emulator,id=tpm0,chardev=tpm"],
      ...["-device", "tpm-tis,tpmdev=tpm0"],
    ],
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function untilThere(socket: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!existsSync(socket)) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error("swtpm did not start");
    await wait(POLL_MS);
  }
}
