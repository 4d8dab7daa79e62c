/** Event logs for tests: the published launches of a PC Engines apu2, and small logs of each format. */
import { concat, encode, u16le, u32le, u64le, utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import {
  DrtmVendorInfo,
  EventType,
  imaEvent,
  type LogAlgorithm,
  type LogEvent,
  type TcgLog,
} from "../../shared/event-log/index.ts";
import { hashNameOf, TpmAlg } from "../../shared/tpm/index.ts";
import { hex } from "../fuzz/decoder.ts";

/** An event whose digests are the hashes of `measured`, in these banks; its data unless said otherwise. */
export function eventOf(
  pcr: number,
  type: number,
  data: Uint8Array | string,
  { banks = [TpmAlg.SHA1, TpmAlg.SHA256], measured }: { banks?: readonly number[]; measured?: Uint8Array } = {},
): LogEvent {
  const bytes = typeof data === "string" ? utf8(data) : data;
  const digests = banks.map((hash) => ({ hash, digest: digest(hashNameOf(hash) ?? "sha1", measured ?? bytes) }));
  return { pcr, type, digests, data: bytes };
}

function published(pcr: number, type: number, text: string, sha256: string): LogEvent {
  return { pcr, type, digests: [{ hash: TpmAlg.SHA256, digest: hex(sha256) }], data: utf8(text) };
}

const PARAMETERS = "Measured boot parameters into PCR18";

/** Digests and values as published for the apu2 (SHA-256); the event texts are those of the loader and the kernel's stub. */
export const APU2_LAUNCHES: readonly {
  readonly events: readonly LogEvent[];
  readonly pcrs: ReadonlyMap<number, string>;
}[] = [
  {
    events: [
      published(17, EventType.SKINIT, "SKINIT", "adf38a252637fcaca26bb89ecceafc6ba75cb0f5237ca8e72294b75a1cff0a0a"),
      published(17, EventType.SL_KERNEL, "Measured Kernel into PCR17", "0e2377e55314d964833e2d1f4e64c026e2b72c8f1a608af3e668fcccae73102c"), // biome-ignore format: one event
      published(18, EventType.SLAUNCH, PARAMETERS, "ab4ebda5c87f7df10e2d1e228ea7b1b88f02570e5d29ceaf9dc39f9728f57275"),
      published(18, EventType.SLAUNCH, "Measured Kernel command line into PCR18", "05b7e23226395cd56288998e34ebb641829a172def433f7878b8f5022de1874e"), // biome-ignore format: one event
      published(17, EventType.SLAUNCH, "Measured initramfs into PCR17", "1f862d0ddc20d8c04b001cbe1d5aed1d839117e8d342913f6dcf161b9329b26d"), // biome-ignore format: one event
    ],
    pcrs: new Map([
      [17, "86319148902e0f12fb1fc286c46fec26b3a7b7f0e8480b591c4b0a8d5034356a"],
      [18, "05fe7e92876c349954a766acc7f5fce64a1a78fd4c5fc4b4e8d19856affd3dba"],
    ]),
  },
  {
    events: [
      published(17, EventType.SKINIT, "SKINIT", "9221c1a8c532029b44756da35f4f5f71a98bc8b0bec5bd736bd1cdf7252b64ab"),
      published(17, EventType.SL_KERNEL, "Measured Kernel into PCR17", "c90227feef29f37719495e96c12cdf1b036c37e5022f28e5fd0005fde6c9e903"), // biome-ignore format: one event
      published(18, EventType.SLAUNCH, PARAMETERS, "e191a7fc8b3c7d2b60d689aea045d3ea895b8796bd0af91239f35be648fa69c7"),
    ],
    pcrs: new Map([
      [17, "84b2d201c21876e5efca9b219a5e464041951ec262a2f25c8acadf3201294155"],
      [18, "d742e003a9b198f6244d1f4f4d50204874d45aa053afcae97073c476d864e280"],
    ]),
  },
];

const SHA1: LogAlgorithm = { hash: TpmAlg.SHA1, digestBytes: 20 };
const SHA256: LogAlgorithm = { hash: TpmAlg.SHA256, digestBytes: 32 };
const NONE = new Uint8Array(0);

/** A DRTM log in SHA-256 with these events, in an area of 64 KiB. */
export function drtmLog(events: readonly LogEvent[], algorithms: readonly LogAlgorithm[] = [SHA1, SHA256]): TcgLog {
  const vendorInfo = encode(DrtmVendorInfo, { address: 0x7000_0000n, allocated: 1 << 16, firstRecordOffset: 0, nextRecordOffset: 0 }); // biome-ignore format: one structure
  return { format: "drtm", algorithms, vendorInfo, events };
}

export function agileLog(events: readonly LogEvent[], algorithms: readonly LogAlgorithm[] = [SHA1, SHA256]): TcgLog {
  return { format: "crypto-agile", algorithms, vendorInfo: NONE, events };
}

/** Events with one SHA-1 digest each. */
export function sha1Log(events: readonly LogEvent[]): TcgLog {
  return { format: "sha1", algorithms: [SHA1], vendorInfo: NONE, events };
}

const SEPARATOR = hex("00000000");
/** A firmware's events in SHA-1 and SHA-256. */
export const FIRMWARE_EVENTS: readonly LogEvent[] = [
  eventOf(0, EventType.S_CRTM_VERSION, hex("3400 2e00 3100 0000")),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => eventOf(pcr, EventType.SEPARATOR, SEPARATOR)),
  eventOf(4, EventType.EFI_ACTION, "Calling EFI Application from Boot Option"),
];

const le32 = (value: number) => encode(u32le, value);

/** An entry of template ima-ng with the SHA-256 digest of a file. */
export function imaNg(path: string, sha256: Uint8Array): LogEvent {
  return imaEvent({ template: "ima-ng", data: ngFields(path, sha256) });
}

export function imaSig(path: string, sha256: Uint8Array, signature: Uint8Array): LogEvent {
  const data = concat(ngFields(path, sha256), le32(signature.byteLength), signature);
  return imaEvent({ template: "ima-sig", data });
}

function ngFields(path: string, sha256: Uint8Array): Uint8Array {
  const name = utf8(`${path}\0`);
  return concat(le32(40), utf8("sha256:\0"), sha256, le32(name.byteLength), name);
}

/** An entry of the first template, ima. */
export function oldIma(path: string, sha1: Uint8Array): LogEvent {
  const name = utf8(path);
  return imaEvent({ template: "ima", data: concat(sha1, le32(name.byteLength), name) });
}

const GUID = Uint8Array.from({ length: 16 }, (_, i) => i);
const le16 = (value: number) => encode(u16le, value);
const le64 = (value: number) => encode(u64le, BigInt(value));
const wide = (text: string) => new Uint8Array(Buffer.from(text, "utf16le"));

/** UEFI_VARIABLE_DATA. */
export function uefiVariable(name: string, data: Uint8Array): Uint8Array {
  return concat(GUID, le64(name.length), le64(data.byteLength), wide(name), data);
}

function node(type: number, subType: number, data: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type, subType), le16(data.byteLength + 4), data);
}

/** A file on a partition of a SATA disk. */
export function devicePath(): Uint8Array {
  return concat(
    node(2, 1, hex("d041030a 00000000")),
    node(1, 1, hex("021f")),
    node(3, 18, hex("0000 ffff 0000")),
    node(4, 1, concat(le32(1), le64(2048), le64(1 << 20), GUID, hex("0202"))),
    node(4, 4, wide("\\EFI\\debian\\grubx64.efi\0")),
    node(0x7f, 0xff, NONE),
  );
}

/** UEFI_IMAGE_LOAD_EVENT. */
export function imageLoad(path: Uint8Array): Uint8Array {
  return concat(le64(0x7e00_0000), le64(4096), le64(0), le64(path.byteLength), path);
}

/** EFI_LOAD_OPTION. */
export function loadOption(description: string): Uint8Array {
  return concat(le32(1), le16(devicePath().byteLength), wide(`${description}\0`), devicePath(), hex("00"));
}

/** EFI_SIGNATURE_LIST with so many entries of 48 bytes. */
export function signatureList(entries: number): Uint8Array {
  return concat(GUID, le32(28 + 48 * entries), le32(0), le32(48), new Uint8Array(48 * entries));
}

function partition(type: string, name: string): Uint8Array {
  const label = concat(wide(name), new Uint8Array(72 - 2 * name.length));
  return concat(hex(type), GUID, le64(2048), le64(4096), le64(0), label);
}

/** UEFI_GPT_DATA of a disk with two partitions. */
function gptData(): Uint8Array {
  const partitions = [
    partition("28732ac11ff8d211ba4b00a0c93ec93b", "EFI"),
    partition("af3dc60f838472478e793d69d8477de4", ""),
  ];
  const head = concat(
    utf8("EFI PART"),
    le32(0x10000),
    le32(92),
    le32(0),
    le32(0),
    le64(1),
    le64(99),
    le64(34),
    le64(90),
  );
  return concat(head, GUID, le64(2), le32(128), le32(128), le32(0), le64(partitions.length), ...partitions);
}

/** Data of UEFI events, one of each layout. */
export const EFI_EVENTS = {
  variable: uefiVariable("SecureBoot", hex("01")),
  image: imageLoad(devicePath()),
  gpt: gptData(),
  loadOption: loadOption("debian"),
  signatureList: signatureList(2),
  devicePath: devicePath(),
} as const;
