/** Event data of UEFI firmware: TCG PC Client Platform Firmware Profile, 10.2; UEFI Specification 2.10. All little-endian. */
import {
  type Codec,
  encode,
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
} from "../bytes/index.ts";
import { MAX_EVENT_BYTES } from "./spec-id.ts";

const MAX_NAME_CHARACTERS = 1024;
const MAX_DEVICE_PATH_BYTES = 65_536;
const MAX_PARTITIONS = 256;
const MAX_TABLES = 256;

/** EFI_GUID as it lies in memory. */
const Guid = fixed(16);

/** UINT64 that must be a small number. */
const small = (max: number): Codec<number> =>
  mapped(u64le, (value) => (value <= BigInt(max) ? Number(value) : undefined), BigInt); // biome-ignore format: one mapping

/** UEFI_VARIABLE_DATA, 10.2.6: the lengths of both parts come first. */
export const UefiVariableData: Codec<UefiVariable> = {
  read(from) {
    const guid = Guid.read(from);
    const nameBytes = 2 * small(MAX_NAME_CHARACTERS).read(from);
    const dataBytes = small(MAX_EVENT_BYTES).read(from);
    return { guid, name: from.bytes(nameBytes), data: from.bytes(dataBytes) };
  },
  write(to, { guid, name, data }) {
    if (name.byteLength % 2 !== 0) throw new RangeError("half a character in a name");
    Guid.write(to, guid);
    small(MAX_NAME_CHARACTERS).write(to, name.byteLength / 2);
    small(MAX_EVENT_BYTES).write(to, data.byteLength);
    to.bytes(name).bytes(data);
  },
};

export interface UefiVariable {
  readonly guid: Uint8Array;
  /** UTF-16, without NUL. */
  readonly name: Uint8Array;
  readonly data: Uint8Array;
}

/** UEFI_IMAGE_LOAD_EVENT, 10.2.3. */
export const UefiImageLoadEvent = struct("UEFI_IMAGE_LOAD_EVENT", {
  location: u64le,
  length: u64le,
  linkTimeAddress: u64le,
  devicePath: sized(small(MAX_DEVICE_PATH_BYTES), MAX_DEVICE_PATH_BYTES),
});

/** UEFI_PLATFORM_FIRMWARE_BLOB, 10.2.5. */
export const UefiFirmwareBlob = struct("UEFI_PLATFORM_FIRMWARE_BLOB", { base: u64le, length: u64le });

/** UEFI_PLATFORM_FIRMWARE_BLOB2, 10.2.5. */
export const UefiFirmwareBlob2 = struct("UEFI_PLATFORM_FIRMWARE_BLOB2", {
  description: sized(u8, 255),
  base: u64le,
  length: u64le,
});

const Tables = list(small(MAX_TABLES), struct("EFI_CONFIGURATION_TABLE", { guid: Guid, table: u64le }), MAX_TABLES);

/** UEFI_HANDOFF_TABLE_POINTERS, 10.2.4. */
export const UefiHandoffTables = struct("UEFI_HANDOFF_TABLE_POINTERS", { tables: Tables });

/** UEFI_HANDOFF_TABLE_POINTERS2, 10.2.4. */
export const UefiHandoffTables2 = struct("UEFI_HANDOFF_TABLE_POINTERS2", {
  description: sized(u8, 255),
  tables: Tables,
});

/** EFI_PARTITION_ENTRY, UEFI Specification, 5.3.3; of 128 bytes, which all partition tables use. */
const Partition = struct("EFI_PARTITION_ENTRY", {
  type: Guid,
  guid: Guid,
  firstBlock: u64le,
  lastBlock: u64le,
  attributes: u64le,
  name: fixed(72),
});

/** UEFI_GPT_DATA, 10.2.7: the table's header (UEFI Specification, 5.3.2), then the entries that are in use. */
export const UefiGptData = struct("UEFI_GPT_DATA", {
  signature: fixed(8),
  revision: u32le,
  headerSize: u32le,
  headerCrc: u32le,
  reserved: u32le,
  ownBlock: u64le,
  otherBlock: u64le,
  firstUsableBlock: u64le,
  lastUsableBlock: u64le,
  diskGuid: Guid,
  entriesBlock: u64le,
  entryCount: u32le,
  entrySize: u32le,
  entriesCrc: u32le,
  partitions: list(small(MAX_PARTITIONS), Partition, MAX_PARTITIONS),
});

/** EFI_LOAD_OPTION, UEFI Specification, 3.1.3: the value of a variable Boot####. */
export const EfiLoadOption: Codec<LoadOption> = {
  read(from) {
    const attributes = u32le.read(from);
    const pathBytes = u16le.read(from);
    const characters: number[] = [];
    for (;;) {
      const character = u16le.read(from);
      if (character === 0) break;
      if (characters.length === MAX_NAME_CHARACTERS) from.fail(`more than ${MAX_NAME_CHARACTERS} characters`);
      characters.push(character);
    }
    return { attributes, description: String.fromCharCode(...characters), devicePath: from.bytes(pathBytes), optionalData: from.rest() }; // biome-ignore format: in order
  },
  write(to, { attributes, description, devicePath, optionalData }) {
    to.u32le(attributes).u16le(devicePath.byteLength);
    for (let i = 0; i < description.length; i++) to.u16le(description.charCodeAt(i));
    to.u16le(0).bytes(devicePath).bytes(optionalData);
  },
};

export interface LoadOption {
  readonly attributes: number;
  readonly description: string;
  readonly devicePath: Uint8Array;
  readonly optionalData: Uint8Array;
}

/** EFI_SIGNATURE_LIST, UEFI Specification, 32.4.1: what db, dbx, KEK and PK hold, one after the other. */
export const EfiSignatureList: Codec<SignatureList> = {
  read(from) {
    const head = SignatureListHead.read(from);
    const { listSize, headerSize, signatureSize } = head;
    const body = listSize - SIGNATURE_LIST_HEAD_BYTES - headerSize;
    if (body < 0 || signatureSize <= 16 || body % signatureSize !== 0)
      from.fail("sizes of a signature list do not fit");
    const header = from.bytes(headerSize);
    return { type: head.type, header, signatureSize, signatures: from.bytes(body) };
  },
  write(to, { type, header, signatureSize, signatures }) {
    const listSize = SIGNATURE_LIST_HEAD_BYTES + header.byteLength + signatures.byteLength;
    to.bytes(encode(SignatureListHead, { type, listSize, headerSize: header.byteLength, signatureSize }));
    to.bytes(header).bytes(signatures);
  },
};

const SIGNATURE_LIST_HEAD_BYTES = 28;
const SignatureListHead = struct("EFI_SIGNATURE_LIST", {
  type: Guid,
  listSize: u32le,
  headerSize: u32le,
  signatureSize: u32le,
});

export interface SignatureList {
  readonly type: Uint8Array;
  readonly header: Uint8Array;
  /** Of one entry with its owner's GUID. */
  readonly signatureSize: number;
  readonly signatures: Uint8Array;
}

/** TCG_PCClientTaggedEvent, 10.4.2.1: data of EV_EVENT_TAG. */
export const TaggedEvent = struct("TCG_PCClientTaggedEvent", { id: u32le, data: sized(u32le, MAX_EVENT_BYTES) });

const NodeData = mapped(struct("EFI_DEVICE_PATH_PROTOCOL", { type: u8, subType: u8, length: u16le }), (node) => (node.length >= 4 ? node : undefined), (node) => node); // biome-ignore format: one mapping

/** EFI_DEVICE_PATH_PROTOCOL, UEFI Specification, 10.2: one node; the length counts its own head. */
export const DevicePathNode: Codec<DevicePathNode> = {
  read(from) {
    const { type, subType, length } = NodeData.read(from);
    return { type, subType, data: from.bytes(length - 4) };
  },
  write(to, { type, subType, data }) {
    NodeData.write(to, { type, subType, length: data.byteLength + 4 });
    to.bytes(data);
  },
};

export interface DevicePathNode {
  readonly type: number;
  readonly subType: number;
  readonly data: Uint8Array;
}

/** Data of nodes that have a text of their own, UEFI Specification, 10.3. */
export const NodeBody = {
  pci: struct("PCI", { function: u8, device: u8 }),
  acpi: struct("ACPI", { hid: u32le, uid: u32le }),
  usb: struct("USB", { port: u8, interface: u8 }),
  sata: struct("SATA", { port: u16le, multiplier: u16le, lun: u16le }),
  nvme: struct("NVM Express", { namespace: u32le, eui64: fixed(8) }),
  mac: struct("MAC", { address: fixed(32), type: u8 }),
  hardDrive: struct("Hard Drive", {
    partition: u32le,
    start: u64le,
    size: u64le,
    signature: Guid,
    format: u8,
    signatureType: u8,
  }),
  firmware: struct("PIWG", { guid: Guid }),
} as const;

export type UefiGptData = Infer<typeof UefiGptData>;
