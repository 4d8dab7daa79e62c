import {
  type Codec,
  CodecError,
  constant,
  decode,
  fixed,
  type Infer,
  inField,
  mapped,
  oneOf,
  Reader,
  struct,
  u8,
  u16le,
  u32le,
  u64le,
} from "../../shared/bytes/index.ts";

/** SMBIOS (DMTF DSP0134 3.x): the two entry points and the System Information record of the structure table. */

const MAX_TABLE_BYTES = 1 << 20;
/** DSP0134 sets no limit since 2.3; no maker's name comes near this. */
const MAX_STRING_BYTES = 256;
const MAX_STRINGS = 255;

const TYPE_SYSTEM_INFORMATION = 1;
const TYPE_END_OF_TABLE = 127;
const HEADER_BYTES = 4;

const ascii = (text: string): Codec<string> =>
  mapped(
    fixed(text.length),
    (bytes) => (String.fromCharCode(...bytes) === text ? text : undefined),
    (value) => Uint8Array.from(value, (c) => c.charCodeAt(0)),
  );

/** 32-bit entry point, DSP0134 5.2.1. Length 0x1E is the known misprint of version 2.1. */
export const SmbiosEntryPoint32 = struct("SMBIOS_ENTRY_POINT", {
  anchor: ascii("_SM_"),
  checksum: u8,
  length: oneOf(u8, [0x1f, 0x1e]),
  majorVersion: u8,
  minorVersion: u8,
  maxStructureSize: u16le,
  entryPointRevision: u8,
  formattedArea: fixed(5),
  intermediateAnchor: ascii("_DMI_"),
  intermediateChecksum: u8,
  tableLength: u16le,
  tableAddress: u32le,
  structures: u16le,
  bcdRevision: u8,
});
export type SmbiosEntryPoint32 = Infer<typeof SmbiosEntryPoint32>;

/** 64-bit entry point, DSP0134 5.2.2. */
export const SmbiosEntryPoint64 = struct("SMBIOS3_ENTRY_POINT", {
  anchor: ascii("_SM3_"),
  checksum: u8,
  length: constant(u8, 0x18),
  majorVersion: u8,
  minorVersion: u8,
  docRevision: u8,
  entryPointRevision: u8,
  reserved: u8,
  tableMaximumSize: u32le,
  tableAddress: u64le,
});
export type SmbiosEntryPoint64 = Infer<typeof SmbiosEntryPoint64>;

/** Which of the two entry points this is; CodecError for anything else, a wrong checksum included. */
export function smbiosGeneration(entryPoint: Uint8Array): 2 | 3 {
  const wide = entryPoint[3] === "3".charCodeAt(0);
  if (wide) decode(SmbiosEntryPoint64, entryPoint);
  else decode(SmbiosEntryPoint32, entryPoint);
  // 5.2.1, 5.2.2: all bytes of the entry point add up to zero.
  if ((entryPoint.reduce((sum, byte) => sum + byte, 0) & 0xff) !== 0) {
    throw new CodecError("the checksum is wrong", "SMBIOS_ENTRY_POINT.checksum", wide ? 5 : 4);
  }
  return wide ? 3 : 2;
}

/** One structure of the table, DSP0134 6.1. `strings` are the string-set: string number 1 is the first. */
export interface SmbiosStructure {
  readonly type: number;
  readonly handle: number;
  /** The formatted area behind the 4-byte header. */
  readonly formatted: Uint8Array;
  readonly strings: readonly string[];
}

function readString(from: Reader): string {
  const bytes: number[] = [];
  for (let byte = from.u8(); byte !== 0; byte = from.u8()) {
    if (bytes.length === MAX_STRING_BYTES) from.fail(`a string of more than ${MAX_STRING_BYTES} bytes`);
    bytes.push(byte);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
  } catch (cause) {
    throw new CodecError("not UTF-8", "", from.offset, { cause });
  }
}

/** DSP0134 6.1.3: strings end with NUL, the set with one more; an empty set is two NULs. */
function readStrings(from: Reader): readonly string[] {
  const strings: string[] = [];
  if (from.peek() === 0) from.u8();
  else {
    while (from.remaining > 0 && from.peek() !== 0) {
      if (strings.length === MAX_STRINGS) from.fail(`more than ${MAX_STRINGS} strings`);
      strings.push(readString(from));
    }
  }
  if (from.u8() !== 0) from.fail("the string-set does not end with NUL");
  return strings;
}

function readStructure(from: Reader): SmbiosStructure {
  const type = from.u8();
  const length = from.u8();
  if (length < HEADER_BYTES) from.fail(`structure length ${length} is less than its header`);
  const handle = from.u16le();
  const formatted = from.bytes(length - HEADER_BYTES);
  return { type, handle, formatted, strings: inField("strings", () => readStrings(from)) };
}

/**
 * The structures up to the End-of-Table record, which has to be there (DSP0134 7.45). Bytes behind it are not read: the
 * 64-bit entry point gives the table's maximum size only.
 */
export function decodeSmbiosTable(table: Uint8Array): readonly SmbiosStructure[] {
  return inField("SMBIOS", () => {
    const reader = new Reader(table);
    if (table.byteLength > MAX_TABLE_BYTES) reader.fail(`a table of more than ${MAX_TABLE_BYTES} bytes`);
    const structures: SmbiosStructure[] = [];
    for (;;) {
      const structure = inField(`[${structures.length}]`, () => readStructure(reader));
      structures.push(structure);
      if (structure.type === TYPE_END_OF_TABLE) return structures;
    }
  });
}

/** What the platform says of itself; an absent string is "". */
export interface SystemInformation {
  readonly manufacturer: string;
  readonly productName: string;
  readonly serialNumber: string;
}

/** DSP0134 7.2, as far as version 2.0 has it: everything behind may be missing in an older table. */
const SystemInformationFields = struct("SYSTEM_INFORMATION", {
  manufacturer: u8,
  productName: u8,
  version: u8,
  serialNumber: u8,
});
const SYSTEM_INFORMATION_BYTES = 4;

/** The System Information record (type 1) of a raw structure table. CodecError when the table is malformed or has none. */
export function decodeSystemInformation(table: Uint8Array): SystemInformation {
  const record = decodeSmbiosTable(table).find((structure) => structure.type === TYPE_SYSTEM_INFORMATION);
  if (record === undefined) throw new CodecError("no System Information record (type 1)", "SMBIOS", 0);
  const known = record.formatted.subarray(0, SYSTEM_INFORMATION_BYTES);
  const numbers = decode(SystemInformationFields, known, "SMBIOS");
  const text = (field: keyof SystemInformation): string => {
    const number = numbers[field];
    const found = number === 0 ? "" : record.strings[number - 1];
    if (found === undefined) {
      throw new CodecError(`string ${number} of ${record.strings.length}`, `SMBIOS.SYSTEM_INFORMATION.${field}`, 0);
    }
    return found;
  };
  return {
    manufacturer: text("manufacturer"),
    productName: text("productName"),
    serialNumber: text("serialNumber"),
  };
}
