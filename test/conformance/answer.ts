import { CodecError, equal, toHex } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor } from "../../shared/cbor/index.ts";
import {
  type CoapOption,
  codeText,
  OptionNumber,
  optionTexts,
  optionValue,
  textValue,
  uintValue,
} from "../../shared/coap/index.ts";
import { Unmet } from "./unmet.ts";

/** What the token answered, and to what. */
export interface Answer {
  /** "POST /api/v1/attest", for sentences. */
  readonly what: string;
  readonly code: number;
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

export interface Wanted {
  /** "2.05". */
  readonly code: string;
  /** Content-Format; "none": the option is not there. */
  readonly format?: number | "none" | undefined;
  readonly maxAge?: number | "none" | undefined;
  /** How long the payload is. */
  readonly bytes?: number;
  /** In the diagnostic text. */
  readonly text?: RegExp;
}

const MAX_TEXT = 120;

function seen({ code, payload }: Answer): string {
  const text = textValue(payload) ?? toHex(payload);
  const detail = payload.byteLength === 0 || code < 0x80 ? "" : ` (${text.slice(0, MAX_TEXT)})`;
  return `${codeText(code)}${detail}`;
}

function uintOf({ options }: Answer, number: number): number | "none" | undefined {
  const bytes = optionValue(options, number);
  return bytes === undefined ? "none" : uintValue(bytes);
}

/** The answer, when it is as wanted. Errors carry no Content-Format and are readable, wanted or not. */
export function expect(answer: Answer, wanted: Wanted | string): Answer {
  const { code, format, maxAge, bytes, text }: Wanted = typeof wanted === "string" ? { code: wanted } : wanted;
  const { what, payload } = answer;
  if (codeText(answer.code) !== code) throw new Unmet(`${what}: ${code} expected, ${seen(answer)} seen`);
  same(`${what}: Content-Format`, uintOf(answer, OptionNumber.ContentFormat), format);
  same(`${what}: Max-Age`, uintOf(answer, OptionNumber.MaxAge), maxAge);
  same(`${what}: bytes`, payload.byteLength, bytes);
  if (answer.code >= 0x80) {
    same(`${what}: Content-Format of an error`, uintOf(answer, OptionNumber.ContentFormat), "none");
    const said = textValue(payload);
    if (said === undefined) throw new Unmet(`${what}: the diagnostic payload is not UTF-8`);
    if (text !== undefined && !text.test(said)) throw new Unmet(`${what}: ${text} expected in ${JSON.stringify(said)}`);
  }
  return answer;
}

/** One of several refusals: where standards leave a choice. */
export function expectOneOf(answer: Answer, codes: readonly string[]): void {
  if (!codes.includes(codeText(answer.code)))
    throw new Unmet(`${answer.what}: ${codes.join(" or ")} expected, ${seen(answer)} seen`);
}

function same(what: string, got: unknown, wanted: unknown): void {
  if (wanted !== undefined && got !== wanted)
    throw new Unmet(`${what}: ${String(wanted)} expected, ${String(got)} seen`);
}

const UINT32_MAX = 0xffff_ffff;

/** The object that a 2.01 names: one Location-Path, a decimal number of 32 bits in its shortest form. */
export function idOf(answer: Answer): number {
  expect(answer, "2.01");
  const path = optionTexts(answer.options, OptionNumber.LocationPath);
  const [text = ""] = path;
  const id = Number(text);
  if (path.length !== 1 || String(id) !== text || !Number.isInteger(id) || id > UINT32_MAX) {
    throw new Unmet(`${answer.what}: one decimal id expected in Location-Path, ${JSON.stringify(path)} seen`);
  }
  return id;
}

/** The payload by its schema. */
export function bodyOf<T>(answer: Answer, schema: CborSchema<T>): T {
  return decoded(answer.what, () => decodeCbor(schema, answer.payload));
}

/** CodecError as Unmet. */
export function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) throw new Unmet(`${what}: malformed: ${error.message}`, { cause: error });
    throw error;
  }
}

export function expectSame(what: string, got: Uint8Array, wanted: Uint8Array): void {
  if (!equal(got, wanted)) throw new Unmet(`${what}: ${short(wanted)} expected, ${short(got)} seen`);
}

export function expectOther(what: string, one: Uint8Array, other: Uint8Array): void {
  if (equal(one, other)) throw new Unmet(`${what}: the same bytes twice: ${short(one)}`);
}

/** Any facts, compared as JSON. */
export function expectFacts(what: string, got: unknown, wanted: unknown): void {
  const [is, should] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (is !== should) throw new Unmet(`${what}: ${should} expected, ${is} seen`);
}

function short(bytes: Uint8Array): string {
  const SHOWN = 24;
  const head = toHex(bytes.subarray(0, SHOWN));
  return bytes.byteLength > SHOWN ? `${head}... (${bytes.byteLength} bytes)` : head || "nothing";
}
