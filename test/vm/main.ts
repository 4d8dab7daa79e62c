/**
 * `npm run test:vm`: the stick on the buses of a real operating system. A Debian kernel in QEMU, made on the spot in a cache folder,
 * runs this machine's programs; the tokens run outside of it. Options: `--tcg` uses no KVM, `--only NAME` stories of that name (repeatable), `--keep` keeps
 * the folder with the consoles.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { OS_MODULES } from "../../attester/cli/os/image.ts";
import { findKernel, type Kernel } from "../../attester/cli/os/kernel.ts";
import type { Token } from "../e2e/cast.ts";
import { builtFolder } from "../support/built.ts";
import { type Accelerator, Guest } from "./guest.ts";
import { GUEST_MODULES, makeInitramfs } from "./initramfs.ts";
import { letInterfacesBe } from "./network.ts";
import { missingPackages } from "./programs.ts";
import { type Checks, Report } from "./report.ts";
import {
  createCast,
  demand,
  dismiss,
  FIRMWARE_WITHOUT_TPM,
  MACHINE,
  provisionTokens,
  type Scene,
  usbredirDevices,
} from "./scene.ts";
import { nodeUsbStory, noLaunchStory, v0Story, v1Story } from "./stories/attester.ts";
import { smallOsStories } from "./stories/small-os.ts";
import { usbipStory } from "./stories/usbip.ts";
import { usbredirStory } from "./stories/usbredir.ts";
import { copyTpm, launch, manufacture, openForQemu } from "./tpm.ts";

const PROBE_WITHIN_MS = 8_000;
/** Virtual machines at a time: each has a processor's work to do. */
const TURNS = 2;

const { values: options } = parseArgs({
  options: { tcg: { type: "boolean" }, keep: { type: "boolean" }, only: { type: "string", multiple: true } },
});
const ci = process.env["CI"] !== undefined && process.env["CI"] !== "";

function skipAll(why: string): never {
  console.log("=".repeat(80));
  console.log(`test:vm ${ci ? "FAILED" : "SKIPPED"}: ${why}`);
  console.log("=".repeat(80));
  process.exit(ci ? 1 : 0);
}

/** KVM may be there and not work: whether a virtual machine comes up with it is tried. */
async function accelerator(kernel: Kernel, initramfs: string, folder: string): Promise<Accelerator> {
  if (options.tcg === true || !isUsable("/dev/kvm")) return "tcg";
  const guest = new Guest({ kernel, initramfs, folder, name: "probe", accelerator: "kvm", devices: [] });
  try {
    await guest.ready(PROBE_WITHIN_MS);
    return "kvm";
  } catch {
    return "tcg"; // it did not come up
  } finally {
    await guest.stop();
  }
}

function isUsable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false; // not there, or not ours
  }
}

const started = performance.now();
const elapsed = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
const missing = missingPackages();
if (missing.length > 0) skipAll(`not installed: ${missing.join(", ")} (apt-get install ${missing.join(" ")})`);

// What was started ends with this program.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const report = new Report();
const cast = createCast();
const wants = (name: string) => options.only?.includes(name) ?? true;

/** Lets so many go on at a time; the others wait in the order in which they came. */
function turns(free: number): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}

type MakeGuest = (name: string, devices: readonly string[]) => Guest;

interface Boot {
  readonly name: string;
  /** The TPM's folder. */
  readonly tpm: string;
  readonly firmware?: readonly string[];
  readonly stories: readonly (readonly [name: string, story: (scene: Scene) => Promise<void>])[];
}

async function kernelIsContent(guest: Guest, { check }: Checks): Promise<void> {
  await check("the kernel has nothing to complain of", async () => {
    const complaints = await guest.must("dmesg | grep -E 'cut here|Oops|BUG:' || true");
    demand(complaints === "", complaints);
    return undefined;
  });
}

async function boot(make: MakeGuest, { name, tpm, firmware = [], stories }: Boot): Promise<void> {
  const wanted = stories.filter(([story]) => wants(story));
  if (wanted.length === 0) return;
  const socket = cast.path(`${name}.sock`);
  const chip = await openForQemu(tpm);
  const guest = make(name, [...firmware, ...MACHINE, ...usbredirDevices(socket), ...chip.devices]);
  try {
    const up = await report.story(`boot ${name}`, ({ check }) =>
      check("the guest starts", async () => {
        await guest.ready();
        return guest.must("uname -r");
      }),
    );
    for (const [story, run] of up ? wanted : []) {
      const tokens: Token[] = [];
      await report.story(story, (checks) => run({ cast, guest, socket, checks, tokens }));
      await Promise.all(tokens.map(({ program }) => program.kill()));
      await letInterfacesBe(guest);
    }
    if (up) await report.story(`boot ${name}`, (checks) => kernelIsContent(guest, checks));
  } finally {
    await guest.stop();
    await chip.stop();
  }
}

try {
  const kernel = await findKernel([...GUEST_MODULES, ...OS_MODULES], console.log);
  const initramfs = cast.path("initramfs");
  await makeInitramfs(kernel, initramfs, console.log);
  builtFolder(); // before the guest looks
  mkdirSync(cast.path("vendor"), { recursive: true });
  const [speed, tpm] = await Promise.all([
    accelerator(kernel, initramfs, cast.folder),
    manufacture(cast, "tpm"),
    provisionTokens(cast, "no-launch", "v1", "node-usb", "v0", "os"),
  ]);
  const launched = copyTpm(tpm, cast.path("launched-tpm"));
  await launch(launched);
  console.log(
    `Linux ${kernel.version} (${kernel.vmlinux === undefined ? "bzImage" : "vmlinux"}) on ${speed}, prepared in ${elapsed()}, in ${cast.folder}`,
  );
  const make: MakeGuest = (name, devices) =>
    new Guest({ kernel, initramfs, folder: cast.folder, name, accelerator: speed, devices });
  const turn = turns(TURNS);
  const boots: readonly Boot[] = [
    {
      name: "without-launch",
      tpm,
      stories: [
        ["usbredir", usbredirStory],
        ["no-launch", noLaunchStory],
        ["usbip", usbipStory],
      ],
    },
    {
      name: "launched",
      tpm: launched,
      firmware: FIRMWARE_WITHOUT_TPM,
      stories: [
        ["v1", v1Story],
        ["node-usb", nodeUsbStory],
        ["v0", v0Story],
      ],
    },
  ];
  const small = { cast, report, accelerator: speed, tpm: copyTpm(tpm, cast.path("small-tpm")), token: "os", turn };
  await Promise.all([
    ...boots.map((one) => turn(() => boot(make, one))),
    ...(wants("os") ? [smallOsStories(small)] : []),
  ]);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  if (options.keep === true) await cast.processes.killAll();
  else await dismiss(cast);
}
console.log(`\n${report.table()}\n\n${elapsed()}, ${report.failed} failed, ${report.skipped} skipped`);
if (report.failed > 0 || (ci && report.skipped > 0)) process.exitCode = 1;
