import {
  type Codec,
  CodecError,
  constant,
  decode,
  fixed,
  inField,
  mapped,
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

const TYPE_SYSTEM_INFORMATION = 1;
const TYPE_END_OF_TABLE = 127;
const HEADER_BYTES = 4;

const ascii = (text: string): Codec<string> =>
  mapped(
    fixed(text.length),
    (bytes) => (String.fromCharCode(...bytes) === text ? text : undefined),
    (value) => Uint8Array.from(value, (c) => c.charCodeAt(0)),
  );

const START = { anchor: ascii("_SM_"), checksum: u8 };
const BEHIND_LENGTH = {
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
};

/** 32-bit entry point, DSP0134 5.2.1. */
export const SmbiosEntryPoint32 = struct("SMBIOS_ENTRY_POINT", {
  ...START,
  length: constant(u8, 0x1f),
  ...BEHIND_LENGTH,
  bcdRevision: u8,
});

const MISPRINTED_LENGTH = 0x1e;

/** The same with the length that version 2.1 misprints; Linux shows no more of it than that. */
export const SmbiosEntryPointMisprinted = struct("SMBIOS_ENTRY_POINT", {
  ...START,
  length: constant(u8, MISPRINTED_LENGTH),
  ...BEHIND_LENGTH,
});

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

/** Which of the two entry points this is; CodecError for anything else, a wrong checksum included. */
export function smbiosGeneration(entryPoint: Uint8Array): 2 | 3 {
  const wide = entryPoint[3] === "3".charCodeAt(0);
  if (wide) decode(SmbiosEntryPoint64, entryPoint);
  else if (entryPoint[5] === MISPRINTED_LENGTH) decode(SmbiosEntryPointMisprinted, entryPoint);
  else decode(SmbiosEntryPoint32, entryPoint);
  // 5.2.1, 5.2.2: all bytes of the entry point add up to zero.
  if ((entryPoint.reduce((sum, byte) => sum + byte, 0) & 0xff) !== 0) {
    throw new CodecError("the checksum is wrong", "SMBIOS_ENTRY_POINT.checksum", wide ? 5 : 4);
  }
  return wide ? 3 : 2;
}

/** One structure of the table, DSP0134 6.1. */
interface SmbiosStructure {
  readonly type: number;
  /** The formatted area behind the 4-byte header. */
  readonly formatted: Uint8Array;
  /** The string-set without its end: strings with a NUL between them. */
  readonly strings: Uint8Array;
}

/** DSP0134 6.1.3: strings end with NUL, the set with one more; an empty set is two NULs. */
function readStrings(from: Reader): Uint8Array {
  const bytes: number[] = [];
  for (let byte = from.u8(); byte !== 0 || from.peek() !== 0; byte = from.u8()) bytes.push(byte);
  from.u8();
  return Uint8Array.from(bytes);
}

function readStructure(from: Reader): SmbiosStructure {
  const type = from.u8();
  const length = from.u8();
  if (length < HEADER_BYTES) from.fail(`structure length ${length} is less than its header`);
  from.u16le(); // the handle
  const formatted = from.bytes(length - HEADER_BYTES);
  return { type, formatted, strings: inField("strings", () => readStrings(from)) };
}

/**
 * The first structure of a type. What lies behind it is not read, and of those before it no more than where they end: makers put there
 * what no rule allows. A table ends with the End-of-Table record (DSP0134 7.45), before version 2.2 without one.
 */
function findStructure(table: Uint8Array, type: number): SmbiosStructure | undefined {
  return inField("SMBIOS", () => {
    const reader = new Reader(table);
    if (table.byteLength > MAX_TABLE_BYTES) reader.fail(`a table of more than ${MAX_TABLE_BYTES} bytes`);
    for (let count = 0; count === 0 || reader.remaining > 0; count++) {
      const structure = inField(`[${count}]`, () => readStructure(reader));
      if (structure.type === type) return structure;
      if (structure.type === TYPE_END_OF_TABLE) return undefined;
    }
    return undefined;
  });
}

/** The string of a number: 1 is the first, 0 is none and gives "". */
function stringOf(structure: SmbiosStructure, number: number): string {
  if (number === 0) return "";
  const parts = splitAtNul(structure.strings);
  const bytes = parts[number - 1];
  if (bytes === undefined) throw new CodecError(`string ${number} of ${parts.length}`, "", 0);
  if (bytes.byteLength > MAX_STRING_BYTES)
    throw new CodecError(`a string of more than ${MAX_STRING_BYTES} bytes`, "", 0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CodecError("not UTF-8", "", 0, { cause });
  }
}

function splitAtNul(set: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < set.byteLength; ) {
    const nul = set.indexOf(0, at);
    const end = nul < 0 ? set.byteLength : nul;
    parts.push(set.subarray(at, end));
    at = end + 1;
  }
  return parts;
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

/** The System Information record (type 1) of a raw structure table. CodecError when it has none, or is malformed before its end. */
export function decodeSystemInformation(table: Uint8Array): SystemInformation {
  const record = findStructure(table, TYPE_SYSTEM_INFORMATION);
  if (record === undefined) throw new CodecError("no System Information record (type 1)", "SMBIOS", 0);
  const known = record.formatted.subarray(0, SYSTEM_INFORMATION_BYTES);
  const numbers = decode(SystemInformationFields, known, "SMBIOS");
  const text = (field: keyof SystemInformation): string =>
    inField("SMBIOS", () =>
      inField("SYSTEM_INFORMATION", () => inField(field, () => stringOf(record, numbers[field]))),
    );
  return {
    manufacturer: text("manufacturer"),
    productName: text("productName"),
    serialNumber: text("serialNumber"),
  };
}
