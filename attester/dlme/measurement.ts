import { concat, utf8 } from "../../shared/bytes/index.ts";
import { digest, digestSize } from "../../shared/crypto/index.ts";
import { hashNameOf, pcrOnes, pcrZero, replay } from "../../shared/tpm/index.ts";
import type { FirmwareEvent } from "../platform/index.ts";
import { bootParams, commandLineArea } from "./boot-params.ts";
import { parseBzImage } from "./bzimage.ts";
import { parseSecureLoader } from "./loader.ts";

/** What a boot with a dynamic launch (AMD SKINIT, TrenchBoot) measures, as a list made of its inputs alone. */

/** The files of a launch, as they lie on the disk. */
export interface LaunchFiles {
  /** Secure Loader image; what lies behind its measured part are the boot loader's data tags. */
  readonly loader: Uint8Array;
  /** bzImage. */
  readonly kernel: Uint8Array;
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
}

/** What a machine starts with; without `launch` no dynamic launch happens, and PCR 17 to 22 stay all ones. */
export interface BootInputs {
  readonly firmware: readonly FirmwareEvent[];
  readonly launch?: LaunchFiles | undefined;
}

export interface Measurement {
  /** Who measures, and so who writes the log: SKINIT's hash is logged by the loader. */
  readonly by: "firmware" | "loader" | "stub";
  readonly pcr: number;
  /** Locality 4 is the HASH sequence that SKINIT sends: it resets PCR 17 to 22, then extends PCR 17. Others are TPM2_PCR_Extend. */
  readonly locality: 0 | 2 | 4;
  /** The event's text in the log. */
  readonly event: string;
  readonly data: Uint8Array;
  /** How a bank's digest comes out of `data`, see FirmwareEvent. */
  readonly style: FirmwareEvent["style"];
}

/** What a PCR sees of a measurement, but for the digest. */
export type Extend = Pick<Measurement, "pcr" | "locality">;

const DRTM_FIRST_PCR = 17;
const DRTM_LAST_PCR = 22;

/** All measurements in their order. CodecError when a file is not what it should be. */
export function measurementsOf({ firmware, launch }: BootInputs): readonly Measurement[] {
  const srtm = firmware.map((event): Measurement => ({ ...event, by: "firmware", locality: 0 }));
  return launch === undefined ? srtm : [...srtm, ...launchMeasurements(launch)];
}

function launchMeasurements({ loader, kernel, commandLine, initrd }: LaunchFiles): readonly Measurement[] {
  const { measured, data } = parseSecureLoader(loader);
  const image = parseBzImage(kernel);
  const line = commandLineArea(image.header, utf8(commandLine));
  return [
    { by: "loader", pcr: 17, locality: 4, event: "SKINIT", data: measured, style: "hashed" },
    ...ifAny("loader", 18, "Measured bootloader data into PCR18", data),
    ...ifAny("loader", 17, "Measured Kernel into PCR17", image.protectedMode),
    ...ifAny("stub", 18, "Measured boot parameters into PCR18", bootParams(image, initrd?.byteLength ?? 0)),
    ...ifAny("stub", 18, "Measured Kernel command line into PCR18", line),
    ...ifAny("stub", 17, "Measured initramfs into PCR17", initrd),
  ];
}

/** Loader and stub pass over what is not there. */
function ifAny(
  by: "loader" | "stub",
  pcr: number,
  event: string,
  data: Uint8Array | undefined,
): readonly Measurement[] {
  return data === undefined || data.byteLength === 0 ? [] : [{ by, pcr, locality: 2, event, data, style: "hashed" }];
}

/** The digest that a measurement puts into a bank. RangeError when the bank's hash is not one of ours. */
export function measurementDigest({ data, style }: Measurement, bank: number): Uint8Array {
  const name = hashNameOf(bank);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${bank.toString(16)} is no hash known here`);
  if (style === "hashed") return digest(name, data);
  const sha1 = digest("sha1", data);
  return concat(sha1, new Uint8Array(digestSize(name) - sha1.byteLength));
}

/** Without what a dynamic launch took back: each resets PCR 17 to 22, so that only the last one counts. */
export function lastLaunch<T extends Extend>(measurements: readonly T[]): readonly T[] {
  const last = measurements.findLastIndex(({ locality }) => locality === 4);
  return measurements.filter(({ pcr }, at) => at >= last || !isDynamic(pcr));
}

function isDynamic(pcr: number): boolean {
  return pcr >= DRTM_FIRST_PCR && pcr <= DRTM_LAST_PCR;
}

/** What a PCR holds before anything is extended, after TPM2_Startup(CLEAR) and the launch, if one is among these. */
export function startOfPcr(measurements: readonly Extend[], bank: number, pcr: number): Uint8Array {
  const launched = measurements.some(({ locality }) => locality === 4);
  return isDynamic(pcr) && !launched ? pcrOnes(bank) : pcrZero(bank);
}

/** What `pcr` holds in `bank` after a boot with these measurements. */
export function expectedPcr(measurements: readonly Measurement[], bank: number, pcr: number): Uint8Array {
  const own = lastLaunch(measurements).filter((measurement) => measurement.pcr === pcr);
  const digests = own.map((measurement) => measurementDigest(measurement, bank));
  return replay(bank, digests, startOfPcr(measurements, bank, pcr));
}
