import { utf8 } from "../bytes/index.ts";

/** One option as it lies in a message: RFC 7252, section 3.1. */
export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

/** RFC 7252, section 5.10; RFC 7641 (Observe); RFC 7959 (Block, Size); RFC 8768 (Hop-Limit); RFC 9175 (Request-Tag). */
export const OptionNumber = {
  IfMatch: 1,
  UriHost: 3,
  ETag: 4,
  IfNoneMatch: 5,
  Observe: 6,
  UriPort: 7,
  LocationPath: 8,
  UriPath: 11,
  ContentFormat: 12,
  MaxAge: 14,
  UriQuery: 15,
  HopLimit: 16,
  Accept: 17,
  LocationQuery: 20,
  Block2: 23,
  Block1: 27,
  Size2: 28,
  ProxyUri: 35,
  ProxyScheme: 39,
  Size1: 60,
  RequestTag: 292,
} as const;

interface OptionFormat {
  readonly name: string;
  readonly format: "empty" | "opaque" | "string" | "uint";
  readonly min: number;
  readonly max: number;
  readonly repeatable: boolean;
}

function format(name: string, kind: OptionFormat["format"], min: number, max: number, repeatable = false) {
  return { name, format: kind, min, max, repeatable } as const;
}

/** RFC 7252, table 4, and those of the other documents above. Lengths in bytes. */
const FORMATS: ReadonlyMap<number, OptionFormat> = new Map<number, OptionFormat>([
  [OptionNumber.IfMatch, format("If-Match", "opaque", 0, 8, true)],
  [OptionNumber.UriHost, format("Uri-Host", "string", 1, 255)],
  [OptionNumber.ETag, format("ETag", "opaque", 1, 8, true)],
  [OptionNumber.IfNoneMatch, format("If-None-Match", "empty", 0, 0)],
  [OptionNumber.Observe, format("Observe", "uint", 0, 3)],
  [OptionNumber.UriPort, format("Uri-Port", "uint", 0, 2)],
  [OptionNumber.LocationPath, format("Location-Path", "string", 0, 255, true)],
  [OptionNumber.UriPath, format("Uri-Path", "string", 0, 255, true)],
  [OptionNumber.ContentFormat, format("Content-Format", "uint", 0, 2)],
  [OptionNumber.MaxAge, format("Max-Age", "uint", 0, 4)],
  [OptionNumber.UriQuery, format("Uri-Query", "string", 0, 255, true)],
  [OptionNumber.HopLimit, format("Hop-Limit", "uint", 0, 1)],
  [OptionNumber.Accept, format("Accept", "uint", 0, 2)],
  [OptionNumber.LocationQuery, format("Location-Query", "string", 0, 255, true)],
  [OptionNumber.Block2, format("Block2", "uint", 0, 3)],
  [OptionNumber.Block1, format("Block1", "uint", 0, 3)],
  [OptionNumber.Size2, format("Size2", "uint", 0, 4)],
  [OptionNumber.ProxyUri, format("Proxy-Uri", "string", 1, 1034)],
  [OptionNumber.ProxyScheme, format("Proxy-Scheme", "string", 1, 255)],
  [OptionNumber.Size1, format("Size1", "uint", 0, 4)],
  [OptionNumber.RequestTag, format("Request-Tag", "opaque", 0, 8, true)],
]);

/** RFC 7252, section 5.4.6: the lowest bit. Who does not know a critical option must refuse the message. */
export function isCritical(number: number): boolean {
  return (number & 0x01) !== 0;
}

/** Unsafe to forward for a proxy that does not know it. */
export function isUnsafe(number: number): boolean {
  return (number & 0x02) !== 0;
}

export function isNoCacheKey(number: number): boolean {
  return (number & 0x1e) === 0x1c;
}

/** For people: "If-Match (1)", or the bare number. */
export function optionName(number: number): string {
  const known = FORMATS.get(number);
  return known === undefined ? `${number}` : `${known.name} (${number})`;
}

/** RFC 7252, section 3.2: shortest form, zero is no byte at all. */
export function uintBytes(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError(`${value} is not a CoAP uint`);
  const bytes = new Uint8Array(value === 0 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xff_ffff ? 3 : 4);
  for (let i = bytes.byteLength - 1, left = value; i >= 0; i--, left >>>= 8) bytes[i] = left & 0xff;
  return bytes;
}

/** Leading zeros are allowed on reception (section 3.2); undefined over 32 bits. */
export function uintValue(bytes: Uint8Array): number | undefined {
  let value = 0;
  for (const byte of bytes) {
    value = value * 256 + byte;
    if (value > 0xffff_ffff) return undefined;
  }
  return value;
}

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a string option; undefined when it is not UTF-8. */
export function textValue(bytes: Uint8Array): string | undefined {
  let text = "";
  for (const byte of bytes) {
    if (byte >= 0x80) return strictText(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

function isText(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return strictText(bytes) !== undefined;
  return true;
}

function strictText(bytes: Uint8Array): string | undefined {
  try {
    return STRICT_UTF8.decode(bytes);
  } catch {
    return undefined; // the decoder's only complaint
  }
}

export function uintOption(number: number, value: number): CoapOption {
  return { number, value: uintBytes(value) };
}

export function textOption(number: number, text: string): CoapOption {
  return { number, value: utf8(text) };
}

/** The value of the first occurrence. */
export function optionValue(options: readonly CoapOption[], number: number): Uint8Array | undefined {
  for (const option of options) if (option.number === number) return option.value;
  return undefined;
}

/** The first occurrence of a uint option; undefined when absent or too large for its kind, which makes an elective option ignored. */
export function optionUint(options: readonly CoapOption[], number: number): number | undefined {
  for (const option of options) {
    if (option.number === number) return isWellFormed(option) ? uintValue(option.value) : undefined;
  }
  return undefined;
}

/** All occurrences of a string option; those that are not UTF-8 or too long are left out. */
export function optionTexts(options: readonly CoapOption[], number: number): readonly string[] {
  const texts: string[] = [];
  for (const option of options) {
    const text = option.number === number && isWellFormed(option) ? textValue(option.value) : undefined;
    if (text !== undefined) texts.push(text);
  }
  return texts;
}

/**
 * Lengths as in the tables. Leading zeros of a uint do not count: section 3.2 asks receivers to bear them, and peers exist that send every
 * Content-Format and Accept in four bytes.
 */
function isWellFormed({ number, value }: CoapOption, known = FORMATS.get(number)): boolean {
  if (known === undefined) return true;
  const length = known.format === "uint" ? significant(value) : value.byteLength;
  return length >= known.min && length <= known.max;
}

function significant(bytes: Uint8Array): number {
  let zeros = 0;
  while (bytes[zeros] === 0) zeros++;
  return bytes.byteLength - zeros;
}

/**
 * The first critical option that is not in `understood`, does not keep its format (RFC 7252, section 5.4.3), or repeats one that may stand only
 * once (section 5.4.5). `options` are in the order of a message.
 */
export function refusedOption(options: readonly CoapOption[], understood: ReadonlySet<number>): CoapOption | undefined {
  let last = -1;
  for (const option of options) {
    const repeated = option.number === last;
    last = option.number;
    if (!isCritical(option.number)) continue;
    const known = FORMATS.get(option.number);
    if (!understood.has(option.number) || (repeated && known?.repeatable === false)) return option;
    if (!isWellFormed(option, known) || (known?.format === "string" && !isText(option.value))) return option;
  }
  return undefined;
}
