/** Sentences on what UEFI firmware measures. Data that are not what the event's type says give undefined. */
import { type Codec, CodecError, decode, Reader } from "../bytes/index.ts";
import { decodeDevicePath, describeDevicePath } from "./device-path.ts";
import {
  EfiLoadOption,
  EfiSignatureList,
  UefiFirmwareBlob,
  UefiFirmwareBlob2,
  UefiGptData,
  UefiHandoffTables,
  UefiHandoffTables2,
  UefiImageLoadEvent,
  type UefiVariable,
  UefiVariableData,
} from "./efi.ts";
import { EventType } from "./event.ts";
import { guidText, partitionTypeText } from "./guid.ts";
import { plainText, textOf, wideTextOf } from "./text.ts";

/** All of `data`, or undefined. */
export function decoded<T>(codec: Codec<T>, data: Uint8Array): T | undefined {
  return unlessMalformed(() => decode(codec, data));
}

/** Undefined in the place of a CodecError. */
export function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodecError) return undefined; // the caller says what it is instead
    throw error;
  }
}

type Sentence = (data: Uint8Array) => string | undefined;

function sentence<T>(codec: Codec<T>, text: (value: T) => string): Sentence {
  return (data) => {
    const value = decoded(codec, data);
    return value === undefined ? undefined : text(value);
  };
}

const address = (value: bigint) => `0x${value.toString(16)}`;

export const EFI_SENTENCES: ReadonlyMap<number, Sentence> = new Map<number, Sentence>([
  [EventType.EFI_VARIABLE_DRIVER_CONFIG, sentence(UefiVariableData, variableText)],
  [EventType.EFI_VARIABLE_BOOT, sentence(UefiVariableData, variableText)],
  [EventType.EFI_VARIABLE_BOOT2, sentence(UefiVariableData, variableText)],
  [EventType.EFI_VARIABLE_AUTHORITY, sentence(UefiVariableData, (v) => `Image authorized by an entry of ${wideTextOf(v.name)}: ${v.data.byteLength} bytes`)], // biome-ignore format: one row
  [EventType.EFI_BOOT_SERVICES_APPLICATION, image("UEFI application")],
  [EventType.EFI_BOOT_SERVICES_DRIVER, image("UEFI boot driver")],
  [EventType.EFI_RUNTIME_SERVICES_DRIVER, image("UEFI runtime driver")],
  [EventType.EFI_GPT_EVENT, sentence(UefiGptData, gptText)],
  [EventType.EFI_GPT_EVENT2, sentence(UefiGptData, gptText)],
  [EventType.EFI_PLATFORM_FIRMWARE_BLOB, sentence(UefiFirmwareBlob, (blob) => `Firmware blob: ${blob.length} bytes at ${address(blob.base)}`)], // biome-ignore format: one row
  [EventType.EFI_PLATFORM_FIRMWARE_BLOB2, sentence(UefiFirmwareBlob2, ({ description, base, length }) => `Firmware blob ${textOf(description)}: ${length} bytes at ${address(base)}`)], // biome-ignore format: one row
  [EventType.EFI_HANDOFF_TABLES, sentence(UefiHandoffTables, ({ tables }) => `Hand-off tables: ${tables.map(({ guid }) => guidText(guid)).join(", ")}`)], // biome-ignore format: one row
  [EventType.EFI_HANDOFF_TABLES2, sentence(UefiHandoffTables2, ({ description, tables }) => `Hand-off tables ${textOf(description)}: ${tables.map(({ guid }) => guidText(guid)).join(", ")}`)], // biome-ignore format: one row
]);

function image(what: string): Sentence {
  return sentence(UefiImageLoadEvent, ({ devicePath, location, length }) => {
    if (devicePath.byteLength === 0) return `${what}: ${length} bytes at ${address(location)}`;
    const path = unlessMalformed(() => describeDevicePath(decodeDevicePath(devicePath)));
    if (path === undefined) return `${what}: ${length} bytes, device path malformed`;
    return path.file === undefined ? `${what}: ${path.place}` : `${what} ${path.file}: on ${path.place}`;
  });
}

function gptText({ diskGuid, partitions }: UefiGptData): string {
  const parts = partitions.map(({ type, name }) => {
    const label = wideTextOf(name);
    return label === "" ? partitionTypeText(type) : `${partitionTypeText(type)} "${label}"`;
  });
  return `Partition table of disk ${guidText(diskGuid)}: ${parts.join(", ") || "no partitions"}`;
}

/** Of the global variables that are one byte, 0 or 1: UEFI Specification, 3.3. */
const SWITCHES = ["SecureBoot", "SetupMode", "AuditMode", "DeployedMode", "MokSBState", "ShimRetainProtocol"];
const SIGNATURE_DATABASES = ["PK", "KEK", "db", "dbx", "dbt", "dbr", "MokList", "MokListX"];

function variableText(variable: UefiVariable): string {
  const name = wideTextOf(variable.name);
  return `UEFI variable ${name}: ${valueText(name, variable.data)}`;
}

function valueText(name: string, data: Uint8Array): string {
  const size = `${data.byteLength} bytes`;
  if (data.byteLength === 0) return "empty";
  if (SWITCHES.includes(name) && data.byteLength === 1) return data[0] === 1 ? "on" : data[0] === 0 ? "off" : size;
  if (SIGNATURE_DATABASES.includes(name)) return unlessMalformed(() => signaturesText(data)) ?? size;
  if (name === "BootOrder" && data.byteLength % 2 === 0) return bootOrderText(data);
  if (/^Boot[0-9A-F]{4}$/.test(name)) return loadOptionText(data) ?? size;
  return size;
}

function signaturesText(data: Uint8Array): string {
  const reader = new Reader(data);
  let entries = 0;
  while (reader.remaining > 0) {
    const { signatures, signatureSize } = EfiSignatureList.read(reader);
    entries += signatures.byteLength / signatureSize;
  }
  return `${entries} ${entries === 1 ? "entry" : "entries"}, ${data.byteLength} bytes`;
}

const MAX_SHOWN = 16;

function bootOrderText(data: Uint8Array): string {
  const reader = new Reader(data);
  const options: string[] = [];
  while (reader.remaining > 0 && options.length < MAX_SHOWN) {
    options.push(`Boot${reader.u16le().toString(16).padStart(4, "0").toUpperCase()}`);
  }
  return `${options.join(", ")}${reader.remaining > 0 ? ", ..." : ""}`;
}

function loadOptionText(data: Uint8Array): string | undefined {
  const option = decoded(EfiLoadOption, data);
  if (option === undefined) return undefined;
  const path = unlessMalformed(() => describeDevicePath(decodeDevicePath(option.devicePath)));
  const target = path === undefined ? "a malformed device path" : [path.file, path.place].filter(Boolean).join(" on ");
  return `${plainText(option.description)}, ${target}`;
}
