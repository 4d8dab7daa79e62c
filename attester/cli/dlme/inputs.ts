import { type Command, InvalidArgumentError } from "commander";
import { readFileBytes } from "../../../hw/files/index.ts";
import { readProfileFile } from "../../../hw/files/profiles.ts";
import { CodecError } from "../../../shared/bytes/index.ts";
import type { HashName } from "../../../shared/crypto/index.ts";
import { hashAlgOf } from "../../../shared/tpm/index.ts";
import { type BootInputs, measurementsOf, parseBzImage, parseSecureLoader, sampleLaunch } from "../../dlme/index.ts";
import { builtInProfiles, type FirmwareEvent, parseProfile } from "../../platform/index.ts";
import { Exit, Stop } from "../exit.ts";

/** What a launch is made of, as options and files. */

export interface InputArguments {
  readonly profile: string;
  readonly launch: boolean;
  readonly loader?: string;
  readonly kernel?: string;
  /** False: there is none. */
  readonly initrd?: string | false;
  readonly cmdline?: string;
}

/** SKINIT takes 64 KiB; what lies behind them in the file are data tags. */
const MAX_LOADER_BYTES = 1 << 20;
/** The largest kernel and initrd of distributions have some 100 MB. */
const MAX_KERNEL_BYTES = 256 << 20;
const MAX_INITRD_BYTES = 1 << 30;

export const SAMPLE = sampleLaunch();

export function withInputOptions(command: Command): Command {
  return command
    .option("--profile <profile>", "apu2 | FILE: what the firmware measures", "apu2")
    .option("--loader <file>", "Secure Loader image, data tags behind it (default: a sample)")
    .option("--kernel <bzimage>", "Linux kernel, bzImage (default: a sample)")
    .option("--initrd <file>", "initial RAM disk (default: a sample)")
    .option("--no-initrd", "without one")
    .option("--cmdline <text>", `kernel command line (default: "${SAMPLE.commandLine}")`)
    .option("--no-launch", "firmware only, no dynamic launch");
}

export interface Inputs {
  readonly boot: BootInputs;
  /** For people: a line for each input. */
  readonly words: readonly string[];
}

/** Reads the files, and looks whether a launch can be made of them. Throws Stop, FileError, ProfileError. */
export function readInputs(args: InputArguments): Inputs {
  const firmware = readFirmware(args.profile);
  if (!args.launch) {
    refuseFiles(args);
    return { boot: { firmware }, words: [`firmware of ${args.profile}, no dynamic launch`] };
  }
  const loader = readOr(args.loader, MAX_LOADER_BYTES, SAMPLE.loader);
  const kernel = readOr(args.kernel, MAX_KERNEL_BYTES, SAMPLE.kernel);
  const initrd = args.initrd === false ? undefined : readOr(args.initrd, MAX_INITRD_BYTES, SAMPLE.initrd);
  const commandLine = args.cmdline ?? SAMPLE.commandLine;
  checked(args.loader, "Secure Loader image", () => parseSecureLoader(loader));
  checked(args.kernel, "bzImage", () => parseBzImage(kernel));
  const boot = { firmware, launch: { loader, kernel, commandLine, initrd } };
  checked(undefined, "launch", () => measurementsOf(boot));
  const words = [
    `firmware of ${args.profile}`,
    `loader ${args.loader ?? "sample"}, ${loader.byteLength} bytes`,
    `kernel ${args.kernel ?? "sample"}, ${kernel.byteLength} bytes`,
    initrd === undefined ? "no initrd" : `initrd ${args.initrd || "sample"}, ${initrd.byteLength} bytes`,
    `command line ${JSON.stringify(commandLine)}`,
  ];
  return { boot, words };
}

function readFirmware(profile: string): readonly FirmwareEvent[] {
  return (builtInProfiles.get(profile) ?? parseProfile(readProfileFile(profile), profile)).firmware;
}

function refuseFiles({ loader, kernel, initrd, cmdline }: InputArguments): void {
  const given = Object.entries({ loader, kernel, initrd: initrd || undefined, cmdline });
  const [name] = given.find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw new Stop(Exit.Usage, `--no-launch starts nothing that --${name} could be for`);
}

function readOr<T extends Uint8Array | undefined>(file: string | undefined, max: number, usual: T): Uint8Array | T {
  return file === undefined ? usual : readFileBytes(file, max);
}

/** What is wrong with a file is said with its name. */
function checked(file: string | undefined, what: string, look: () => unknown): void {
  try {
    look();
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    const problem = file === undefined ? `no ${what} can be made of these: ` : `${file} is no ${what}: `;
    throw new Stop(Exit.Usage, problem + error.message, { cause: error });
  }
}

/** `sha1,sha256`: banks by their names, as TPM_ALG_IDs. */
export function bankNames(text: string): readonly number[] {
  const names = text.split(",").filter((name, i, all) => all.indexOf(name) === i);
  return names.map((name) => {
    if (!isHashName(name)) throw new InvalidArgumentError("Of sha1, sha256, sha384, sha512, with commas between.");
    return hashAlgOf(name);
  });
}

function isHashName(name: string): name is HashName {
  return ["sha1", "sha256", "sha384", "sha512"].includes(name);
}
