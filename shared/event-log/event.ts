/** What an event log tells, whichever format it is written in. */
import type { HashName } from "../crypto/index.ts";
import { hashNameOf, TpmAlg } from "../tpm/index.ts";

/** The digest that was extended in one bank. */
export interface LogDigest {
  /** TPM_ALG_ID. */
  readonly hash: number;
  readonly digest: Uint8Array;
}

/** One measurement, or a remark (EV_NO_ACTION) that no PCR took. */
export interface LogEvent {
  readonly pcr: number;
  /** TCG event type, see EventType. */
  readonly type: number;
  /** At most one for each bank; a bank without one was not extended by this event. */
  readonly digests: readonly LogDigest[];
  /** What the log says about it. No PCR vouches for this unless a digest happens to be its hash. */
  readonly data: Uint8Array;
}

/**
 * Event types, TCG PC Client Platform Firmware Profile, 10.4.1, table 27. SKINIT and SL_KERNEL are what the loader of the published apu2
 * logs writes, SLAUNCH and its ends what the Linux stub writes; IMA_ENTRY is ours, for entries of IMA's list, which have no type.
 */
export const EventType = {
  PREBOOT_CERT: 0x0000_0000,
  POST_CODE: 0x0000_0001,
  NO_ACTION: 0x0000_0003,
  SEPARATOR: 0x0000_0004,
  ACTION: 0x0000_0005,
  EVENT_TAG: 0x0000_0006,
  S_CRTM_CONTENTS: 0x0000_0007,
  S_CRTM_VERSION: 0x0000_0008,
  CPU_MICROCODE: 0x0000_0009,
  PLATFORM_CONFIG_FLAGS: 0x0000_000a,
  TABLE_OF_DEVICES: 0x0000_000b,
  COMPACT_HASH: 0x0000_000c,
  IPL: 0x0000_000d,
  IPL_PARTITION_DATA: 0x0000_000e,
  NONHOST_CODE: 0x0000_000f,
  NONHOST_CONFIG: 0x0000_0010,
  NONHOST_INFO: 0x0000_0011,
  OMIT_BOOT_DEVICE_EVENTS: 0x0000_0012,
  POST_CODE2: 0x0000_0013,
  SLAUNCH: 0x0000_0502,
  SLAUNCH_START: 0x0000_0503,
  SLAUNCH_END: 0x0000_0504,
  SKINIT: 0x0000_0600,
  SL_KERNEL: 0x0000_0601,
  IMA_ENTRY: 0x4d49_0001,
  EFI_VARIABLE_DRIVER_CONFIG: 0x8000_0001,
  EFI_VARIABLE_BOOT: 0x8000_0002,
  EFI_BOOT_SERVICES_APPLICATION: 0x8000_0003,
  EFI_BOOT_SERVICES_DRIVER: 0x8000_0004,
  EFI_RUNTIME_SERVICES_DRIVER: 0x8000_0005,
  EFI_GPT_EVENT: 0x8000_0006,
  EFI_ACTION: 0x8000_0007,
  EFI_PLATFORM_FIRMWARE_BLOB: 0x8000_0008,
  EFI_HANDOFF_TABLES: 0x8000_0009,
  EFI_PLATFORM_FIRMWARE_BLOB2: 0x8000_000a,
  EFI_HANDOFF_TABLES2: 0x8000_000b,
  EFI_VARIABLE_BOOT2: 0x8000_000c,
  EFI_GPT_EVENT2: 0x8000_000d,
  EFI_HCRTM_EVENT: 0x8000_0010,
  EFI_VARIABLE_AUTHORITY: 0x8000_00e0,
  EFI_SPDM_FIRMWARE_BLOB: 0x8000_00e1,
  EFI_SPDM_FIRMWARE_CONFIG: 0x8000_00e2,
  EFI_SPDM_DEVICE_POLICY: 0x8000_00e3,
  EFI_SPDM_DEVICE_AUTHORITY: 0x8000_00e4,
} as const;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(EventType).map(([name, type]) => [type, name.startsWith("IMA") ? name : `EV_${name}`]),
);

/** `EV_SEPARATOR`; a type that is not known as hexadecimal number. */
export function eventTypeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `0x${type.toString(16).padStart(8, "0")}`;
}

/** The digest of one bank; undefined when the event has none there. */
export function digestIn(event: LogEvent, hash: number): Uint8Array | undefined {
  return event.digests.find((candidate) => candidate.hash === hash)?.digest;
}

/** Whether a PCR took it. */
export function isMeasured(event: LogEvent): boolean {
  return event.type !== EventType.NO_ACTION;
}

const OTHER_NAMES: ReadonlyMap<number, string> = new Map([
  [TpmAlg.SM3_256, "sm3-256"],
  [0x0027, "sha3-256"],
  [0x0028, "sha3-384"],
  [0x0029, "sha3-512"],
]);

/** The name of a bank for people: `sha256`; `0x0027` when it has none here. */
export function bankName(hash: number): HashName | string {
  return hashNameOf(hash) ?? OTHER_NAMES.get(hash) ?? `0x${hash.toString(16).padStart(4, "0")}`;
}
