/** The header of a crypto-agile log: TCG PC Client Platform Firmware Profile, 10.4.5.1 and 10.2.1; little-endian. */
import {
  type Codec,
  CodecError,
  equal,
  fixed,
  type Infer,
  list,
  mapped,
  sized,
  struct,
  u8,
  u16le,
  u32le,
  u64le,
  utf8,
} from "../bytes/index.ts";
import { TpmAlg, TpmLimit } from "../tpm/index.ts";
import { EventType } from "./event.ts";

/** More than any event of a firmware; IMA lists with their signatures stay far below, too. */
export const MAX_EVENT_BYTES = 16 << 20;
const SHA1_BYTES = 20;
/** Of SHA-512, the longest hash that TPMs have. */
const MAX_DIGEST_BYTES = 64;

/** TCG_PCClientPCREvent, 10.2.1: an event of a SHA-1 log, and the first record of every log. */
export const TcgPcrEvent = struct("TCG_PCClientPCREvent", {
  pcrIndex: u32le,
  eventType: u32le,
  digest: fixed(SHA1_BYTES),
  event: sized(u32le, MAX_EVENT_BYTES),
});
export type TcgPcrEvent = Infer<typeof TcgPcrEvent>;

const SIGNATURE = utf8("Spec ID Event03\0");

/** A bank of the log and the bytes of its digests. */
export interface LogAlgorithm {
  /** TPM_ALG_ID. */
  readonly hash: number;
  readonly digestBytes: number;
}

/** What the standard says of these; of others the log's word is taken. */
const DIGEST_BYTES: ReadonlyMap<number, number> = new Map([
  [TpmAlg.SHA1, 20],
  [TpmAlg.SHA256, 32],
  [TpmAlg.SHA384, 48],
  [TpmAlg.SHA512, 64],
  [TpmAlg.SM3_256, 32],
  [0x0027, 32], // SHA3-256, and on to SHA3-512
  [0x0028, 48],
  [0x0029, 64],
]);

const AlgorithmSize = mapped(
  struct("TCG_EfiSpecIdEventAlgorithmSize", { hash: u16le, digestBytes: u16le }),
  (algorithm): LogAlgorithm | undefined => {
    const known = DIGEST_BYTES.get(algorithm.hash) ?? algorithm.digestBytes;
    const fits = algorithm.digestBytes === known && known >= 1 && known <= MAX_DIGEST_BYTES;
    return fits ? algorithm : undefined;
  },
  (algorithm) => algorithm,
);

const Algorithms: Codec<readonly LogAlgorithm[]> = mapped(
  list(u32le, AlgorithmSize, TpmLimit.BANKS),
  (all) => (all.length > 0 && new Set(all.map(({ hash }) => hash)).size === all.length ? all : undefined),
  (all) => all,
);

const Signature = mapped(fixed(SIGNATURE.byteLength), (text) => (equal(text, SIGNATURE) ? text : undefined), (text) => text); // biome-ignore format: one line

/** TCG_EfiSpecIDEvent, 10.4.5.1. */
export const TcgEfiSpecIdEvent = struct("TCG_EfiSpecIDEvent", {
  signature: Signature,
  platformClass: u32le,
  specVersionMinor: u8,
  specVersionMajor: u8,
  specErrata: u8,
  uintnSize: u8,
  digestSizes: Algorithms,
  vendorInfo: sized(u8, 255),
});
export type TcgEfiSpecIdEvent = Infer<typeof TcgEfiSpecIdEvent>;

/** Which specification a log names. */
export type LogSpecification = Omit<TcgEfiSpecIdEvent, "signature" | "digestSizes" | "vendorInfo">;

/** Family 2.0, errata 0 (as EDK II writes it), 64-bit firmware. */
export const DEFAULT_SPECIFICATION: LogSpecification = {
  platformClass: 0,
  specVersionMinor: 0,
  specVersionMajor: 2,
  specErrata: 0,
  uintnSize: 2,
};

export function specIdEvent(
  specification: LogSpecification,
  digestSizes: readonly LogAlgorithm[],
  vendorInfo: Uint8Array,
): TcgEfiSpecIdEvent {
  return { signature: SIGNATURE, ...specification, digestSizes, vendorInfo };
}

/** Whether a log's first record announces a crypto-agile log. CodecError when it does and is not what such a record must be. */
export function announcesAgileLog({ pcrIndex, eventType, digest, event }: TcgPcrEvent): boolean {
  if (!equal(event.subarray(0, SIGNATURE.byteLength), SIGNATURE)) return false;
  if (eventType !== EventType.NO_ACTION) throw new CodecError("is not EV_NO_ACTION", "eventType", 4);
  if (pcrIndex !== 0) throw new CodecError("is not PCR 0", "pcrIndex", 0);
  if (digest.some((byte) => byte !== 0)) throw new CodecError("is not zero", "digest", 8);
  return true;
}

/**
 * The vendor information of a DRTM log as TrenchBoot's loader writes it, in the shape of the TXT heap's event log pointer 2.1: records
 * end at next_record_offset, counted from the header's first byte.
 */
export const DrtmVendorInfo = struct("DRTM vendor info", {
  address: u64le,
  allocated: u32le,
  firstRecordOffset: u32le,
  nextRecordOffset: u32le,
});
export type DrtmVendorInfo = Infer<typeof DrtmVendorInfo>;
export const DRTM_VENDOR_INFO_BYTES = 20;
