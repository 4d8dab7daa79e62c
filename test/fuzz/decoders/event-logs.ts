/** Decoders of event logs, and of what their events say. */
import { concat, decode, encode, utf8 } from "../../../shared/bytes/index.ts";
import { decodeDevicePath } from "../../../shared/event-log/device-path.ts";
import * as efi from "../../../shared/event-log/efi.ts";
import { decodeImaLog } from "../../../shared/event-log/ima.ts";
import { ImaTemplateName } from "../../../shared/event-log/ima-template.ts";
import {
  DrtmVendorInfo,
  decodeEventLog,
  decodeTcgLog,
  EventType,
  encodeImaLog,
  encodeTcgLog,
  ImaTemplate,
  imaFileOf,
} from "../../../shared/event-log/index.ts";
import {
  DEFAULT_SPECIFICATION,
  specIdEvent,
  TcgEfiSpecIdEvent,
  TcgPcrEvent,
} from "../../../shared/event-log/spec-id.ts";
import {
  APU2_LAUNCHES,
  agileLog,
  drtmLog,
  EFI_EVENTS,
  eventOf,
  FIRMWARE_EVENTS,
  imaNg,
  imaSig,
  oldIma,
  sha1Log,
} from "../../support/event-logs.ts";
import { both, type Decoder, hex, ofCodec, ofFunction, ofValues } from "../decoder.ts";

const events = [...FIRMWARE_EVENTS.slice(0, 2), eventOf(4, EventType.EFI_BOOT_SERVICES_APPLICATION, EFI_EVENTS.image)];
const sha1File = encodeTcgLog(sha1Log(events.map((event) => ({ ...event, digests: event.digests.slice(0, 1) }))));
const agileFile = encodeTcgLog(agileLog(events));
const drtmFile = encodeTcgLog(drtmLog(APU2_LAUNCHES[0]?.events ?? []));
const sha256 = new Uint8Array(32).fill(7);
const ima = [
  oldIma("/init", sha256.subarray(0, 20)),
  imaNg("/bin/sh", sha256),
  imaSig("/bin/a", sha256, hex("030204")),
];
const imaFile = concat(...ima.map((event) => encodeImaLog({ format: "ima", algorithms: [], events: [event] })));
const guid = new Uint8Array(16).fill(9);
const specId = specIdEvent(DEFAULT_SPECIFICATION, [{ hash: 4, digestBytes: 20 }, { hash: 0xabcd, digestBytes: 9 }], hex("0102")); // biome-ignore format: one structure

const CUT = { prefix: "a log of fewer events" };
const PADDED = { ...CUT, loose: "padding is not written again" };
const BEHIND = "what lies behind the last record is not looked at";

export const eventLogDecoders: readonly Decoder[] = [
  both("TCG log, SHA-1", decodeTcgLog, encodeTcgLog, [sha1File], PADDED),
  both("TCG log, crypto-agile", decodeTcgLog, encodeTcgLog, [agileFile], PADDED),
  both("TCG log, DRTM", decodeTcgLog, encodeTcgLog, [drtmFile], { trailing: BEHIND, loose: BEHIND }),
  both("IMA log", decodeImaLog, encodeImaLog, [imaFile], CUT),
  ofFunction("log of any format", decodeEventLog, [sha1File, agileFile, drtmFile, imaFile], {
    ...CUT,
    trailing: BEHIND,
  }),
  ofCodec("TCG_PCClientPCREvent", TcgPcrEvent, [sha1File.slice(0, 40)]),
  ofValues("TCG_EfiSpecIDEvent", TcgEfiSpecIdEvent, [specId]),
  ofValues("DRTM vendor info", DrtmVendorInfo, [{ address: 1n, allocated: 2, firstRecordOffset: 3, nextRecordOffset: 4 }]), // biome-ignore format: one row
  ofCodec("IMA template", ImaTemplate, ima.map(({ data }) => data)), // biome-ignore format: one row
  ofValues("IMA template name", ImaTemplateName, ["ima-ng", "d-ng|n-ng"]),
  ofFunction(
    "IMA template data",
    (input) => [imaFileOf({ template: "ima-ng", data: input }), imaFileOf({ template: "d-ng|n-ng", data: input })],
    [decode(ImaTemplate, ima[1]?.data ?? hex("")).data],
  ),
  ofCodec("UEFI_VARIABLE_DATA", efi.UefiVariableData, [EFI_EVENTS.variable]),
  ofCodec("UEFI_IMAGE_LOAD_EVENT", efi.UefiImageLoadEvent, [EFI_EVENTS.image]),
  ofValues("UEFI_PLATFORM_FIRMWARE_BLOB", efi.UefiFirmwareBlob, [{ base: 1n, length: 2n }]),
  ofValues("UEFI_PLATFORM_FIRMWARE_BLOB2", efi.UefiFirmwareBlob2, [{ description: utf8("FV"), base: 1n, length: 2n }]),
  ofValues("UEFI_HANDOFF_TABLE_POINTERS", efi.UefiHandoffTables, [{ tables: [{ guid, table: 1n }] }]),
  ofValues("UEFI_HANDOFF_TABLE_POINTERS2", efi.UefiHandoffTables2, [
    { description: utf8("ACPI"), tables: [{ guid, table: 1n }] },
  ]),
  ofCodec("UEFI_GPT_DATA", efi.UefiGptData, [EFI_EVENTS.gpt]),
  ofCodec("EFI_LOAD_OPTION", efi.EfiLoadOption, [EFI_EVENTS.loadOption], {
    prefix: "less optional data",
    trailing: "more optional data",
  }),
  ofCodec("EFI_SIGNATURE_LIST", efi.EfiSignatureList, [EFI_EVENTS.signatureList]),
  ofValues("TCG_PCClientTaggedEvent", efi.TaggedEvent, [{ id: 7, data: hex("0102") }]),
  ofValues("EFI_DEVICE_PATH_PROTOCOL", efi.DevicePathNode, [{ type: 1, subType: 1, data: hex("0001") }]),
  ofCodec("device path node: PCI", efi.NodeBody.pci, [hex("021f")]),
  ofCodec("device path node: ACPI", efi.NodeBody.acpi, [hex("d041030a 00000000")]),
  ofCodec("device path node: USB", efi.NodeBody.usb, [hex("0100")]),
  ofCodec("device path node: SATA", efi.NodeBody.sata, [hex("0000 ffff 0000")]),
  ofCodec("device path node: NVM Express", efi.NodeBody.nvme, [hex("01000000 0102030405060708")]),
  ofCodec("device path node: MAC", efi.NodeBody.mac, [new Uint8Array(33)]),
  ofCodec("device path node: hard drive", efi.NodeBody.hardDrive, [new Uint8Array(38)]),
  ofCodec("device path node: firmware file and volume", efi.NodeBody.firmware, [guid]),
  both(
    "device path",
    decodeDevicePath,
    (nodes) => concat(...nodes.map((node) => encode(efi.DevicePathNode, node)), hex("7fff0400")),
    [EFI_EVENTS.devicePath],
  ),
];
