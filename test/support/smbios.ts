import { concat, utf8 } from "../../shared/bytes/index.ts";

/** SMBIOS tables for tests, laid out as DSP0134 says. */

export function smbiosStructure(
  type: number,
  formatted: readonly number[],
  strings: readonly (string | readonly number[])[],
): Uint8Array {
  const bytesOf = (text: string | readonly number[]) => (typeof text === "string" ? utf8(text) : text);
  const set = strings.length === 0 ? [0, 0] : [...strings.flatMap((text) => [...bytesOf(text), 0]), 0];
  return Uint8Array.from([type, 4 + formatted.length, type, 0x10, ...formatted, ...set]);
}

/** A System Information record of SMBIOS 2.4: the strings in the order they are numbered, the numbers in the record's order. */
export function systemInformation(
  strings: readonly string[] = ["PC Engines", "apu2", "1.0", "1373268"],
  numbers: readonly number[] = [1, 2, 3, 4],
): Uint8Array {
  return smbiosStructure(1, [...numbers, ...new Array<number>(16).fill(0xab), 6, 0, 0], strings);
}

const endOfTable = smbiosStructure(127, [], []);

/** A table with a BIOS record in front of the System Information record. */
export function smbiosTable(...records: readonly Uint8Array[]): Uint8Array {
  const bios = smbiosStructure(0, [1, 2, 0, 0xe0, 3, 0x0f], ["coreboot", "v4.14.0.2", "04/30/2021"]);
  return concat(bios, ...(records.length === 0 ? [systemInformation()] : records), endOfTable);
}

/** Sets the byte at `at` so that all bytes add up to zero. */
function withChecksum(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at] = 0;
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}

export function entryPoint32(length = 0x1f): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(utf8("_SM_"));
  bytes.set([length, 2, 8], 5);
  bytes.set(utf8("_DMI_"), 0x10);
  if (length > 0x1e) bytes[0x1e] = 0x28;
  return withChecksum(bytes, 4);
}

export function entryPoint64(): Uint8Array {
  const bytes = new Uint8Array(24);
  bytes.set(utf8("_SM3_"));
  bytes.set([0x18, 3, 2, 0, 1], 6);
  return withChecksum(bytes, 5);
}
