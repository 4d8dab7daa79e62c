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
  readonly pcr: number;
  /** Locality 4 is the HASH sequence that SKINIT sends: it resets PCR 17 to 22, then extends PCR 17. Others are TPM2_PCR_Extend. */
  readonly locality: 0 | 2 | 4;
  /** The event's text in the log. */
  readonly event: string;
  readonly data: Uint8Array;
  /** How a bank's digest comes out of `data`, see FirmwareEvent. */
  readonly style: FirmwareEvent["style"];
}

const DRTM_FIRST_PCR = 17;
const DRTM_LAST_PCR = 22;

/** All measurements in their order. CodecError when a file is not what it should be. */
export function measurementsOf({ firmware, launch }: BootInputs): readonly Measurement[] {
  const srtm = firmware.map((event): Measurement => ({ ...event, locality: 0 }));
  return launch === undefined ? srtm : [...srtm, ...launchMeasurements(launch)];
}

function launchMeasurements({ loader, kernel, commandLine, initrd }: LaunchFiles): readonly Measurement[] {
  const { measured, data } = parseSecureLoader(loader);
  const image = parseBzImage(kernel);
  const line = commandLineArea(image.header, utf8(commandLine));
  const hashed = (pcr: number, event: string, bytes: Uint8Array): Measurement => {
    return { pcr, locality: 2, event, data: bytes, style: "hashed" };
  };
  /** The loader and the stub pass over what is not there. */
  const ifAny = (pcr: number, event: string, bytes: Uint8Array | undefined): readonly Measurement[] =>
    bytes === undefined || bytes.byteLength === 0 ? [] : [hashed(pcr, event, bytes)];
  return [
    { pcr: 17, locality: 4, event: "SKINIT", data: measured, style: "hashed" },
    ...ifAny(18, "Measured bootloader data into PCR18", data),
    hashed(17, "Measured Kernel into PCR17", image.protectedMode),
    hashed(18, "Measured boot parameters into PCR18", bootParams(image, initrd?.byteLength ?? 0)),
    ...ifAny(18, "Measured Kernel command line into PCR18", line),
    ...ifAny(17, "Measured initramfs into PCR17", initrd),
  ];
}

/** The digest that a measurement puts into a bank. RangeError when the bank's hash is not one of ours. */
export function measurementDigest({ data, style }: Measurement, bank: number): Uint8Array {
  const name = hashNameOf(bank);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${bank.toString(16)} is no hash known here`);
  if (style === "hashed") return digest(name, data);
  const sha1 = digest("sha1", data);
  return concat(sha1, new Uint8Array(digestSize(name) - sha1.byteLength));
}

/** What `pcr` holds in `bank` after a boot with these measurements; the TPM was started with TPM2_Startup(CLEAR). */
export function expectedPcr(measurements: readonly Measurement[], bank: number, pcr: number): Uint8Array {
  const dynamic = pcr >= DRTM_FIRST_PCR && pcr <= DRTM_LAST_PCR;
  const launched = measurements.some(({ locality }) => locality === 4);
  const start = dynamic && !launched ? pcrOnes(bank) : pcrZero(bank);
  const own = measurements.filter((measurement) => measurement.pcr === pcr);
  return replay(
    bank,
    own.map((measurement) => measurementDigest(measurement, bank)),
    start,
  );
}
