/**
 * `npm run test:vm`: the stick on the buses of a real operating system. A Debian kernel in QEMU, made on the spot in a cache folder,
 * runs this machine's programs; the tokens run outside of it. Options: `--tcg` uses no KVM, `--only NAME` stories of that name (repeatable), `--keep` keeps
 * the folder with the consoles.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { builtFolder } from "../support/built.ts";
import { type Accelerator, Guest } from "./guest.ts";
import { makeInitramfs } from "./initramfs.ts";
import { findKernel, type Kernel } from "./kernel.ts";
import { missingPackages } from "./programs.ts";
import { Report } from "./report.ts";
import { createCast, dismiss, type GuestScene, MACHINE, provisionTokens, usbredirDevices } from "./scene.ts";
import { nodeUsbStory, noLaunchStory, v0Story, v1Story } from "./stories/attester.ts";
import { usbipStory } from "./stories/usbip.ts";
import { usbredirStory } from "./stories/usbredir.ts";
import { copyTpm, type GuestTpm, launch, manufacture, openForQemu } from "./tpm.ts";

const PROBE_WITHIN_MS = 8_000;
/** SeaBIOS starts the TPM itself, and turns its hierarchies off when that was done already; qboot leaves it alone. */
const FIRMWARE_WITHOUT_TPM = ["-bios", "qboot.rom"];

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

const report = new Report();
const cast = createCast();
const wants = (name: string) => options.only?.includes(name) ?? true;

interface Boot {
  readonly name: string;
  /** The TPM's folder. */
  readonly tpm: string;
  readonly firmware?: readonly string[];
  readonly stories: readonly (readonly [name: string, story: (scene: GuestScene) => Promise<void>])[];
}

async function boot(
  kernel: Kernel,
  initramfs: string,
  speed: Accelerator,
  { name, tpm, firmware = [], stories }: Boot,
): Promise<void> {
  const wanted = stories.filter(([story]) => wants(story));
  if (wanted.length === 0) return;
  let chip: GuestTpm | undefined;
  let guest: Guest | undefined;
  try {
    await report.story(`boot: ${name}`, async () => {
      await report.check("the guest starts", async () => {
        chip = await openForQemu(tpm);
        const devices = [...firmware, ...MACHINE, ...usbredirDevices(cast), ...chip.devices];
        guest = new Guest({ kernel, initramfs, folder: cast.folder, name, accelerator: speed, devices });
        await guest.ready();
        return guest.must("uname -r");
      });
    });
    for (const [story, run] of wanted) {
      const running = guest;
      if (running === undefined) return;
      await report.story(story, () => run({ cast, report, accelerator: speed, guest: running }));
      await cast.processes.killAll();
    }
  } finally {
    await guest?.stop();
    await chip?.stop();
  }
}

try {
  const kernel = await findKernel(console.log);
  const initramfs = cast.path("initramfs");
  await makeInitramfs(kernel, initramfs);
  builtFolder(); // before the guest looks
  mkdirSync(cast.path("vendor"), { recursive: true });
  const [speed, tpm] = await Promise.all([
    accelerator(kernel, initramfs, cast.folder),
    manufacture(cast, "tpm"),
    provisionTokens(cast, "no-launch", "v0", "v1"),
  ]);
  const launched = copyTpm(tpm, cast.path("launched-tpm"));
  await launch(launched);
  console.log(`Linux ${kernel.version} (${kernel.kind}) on ${speed}, prepared in ${elapsed()}, in ${cast.folder}`);
  const start = (one: Boot) => boot(kernel, initramfs, speed, one);
  await start({
    name: "without-launch",
    tpm,
    stories: [
      ["usbredir", usbredirStory],
      ["no-launch", noLaunchStory],
      ["usbip", usbipStory],
    ],
  });
  await start({
    name: "launched",
    tpm: launched,
    firmware: FIRMWARE_WITHOUT_TPM,
    stories: [
      ["v1", v1Story],
      ["node-usb", nodeUsbStory],
      ["v0", v0Story],
    ],
  });
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  if (options.keep === true) await cast.processes.killAll();
  else await dismiss(cast);
}
console.log(`\n${report.table()}\n\n${elapsed()}, ${report.failed.length} failed`);
if (report.failed.length > 0) process.exitCode = 1;
