import { CodecError, inField, Reader } from "../bytes/index.ts";
import type { CborLimits } from "./value.ts";

/** Where an item of the plain subset begins, and where its parts do: for an array by index, for a map by key. */
export interface Layout {
  readonly at: number;
  readonly parts: ReadonlyMap<string | number, Layout>;
}

const Major = { Unsigned: 0, Negative: 1, Bytes: 2, Text: 3, Array: 4, Map: 5, Tag: 6, Simple: 7 } as const;

const INDEFINITE = 31;
const BREAK = 0xff;
const SIMPLE_FALSE = 20;
const SIMPLE_NULL = 22;
const NO_PARTS: ReadonlyMap<string | number, Layout> = new Map();

// Fatal, and keeps a byte-order mark: what it lets pass, cbor-x reads the same.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Passes exactly one well-formed item (RFC 8949, 5.3.1) of the plain subset and nothing behind it; throws CodecError for
 * anything else. cbor-x decodes only bytes that passed here: alone it takes duplicate keys, lengths and integers longer than
 * needed, invalid UTF-8, tags and trailing bytes.
 */
export function guard(bytes: Uint8Array, limits: CborLimits): Layout {
  if (bytes.byteLength > limits.maxBytes) {
    throw new CodecError(`${bytes.byteLength} bytes where at most ${limits.maxBytes} are allowed`, "", 0);
  }
  const reader = new Reader(bytes);
  const layout = item(reader, limits.maxDepth);
  reader.end();
  return layout;
}

function item(r: Reader, depthLeft: number): Layout {
  const at = r.offset;
  const initial = r.u8();
  const info = initial & 0x1f;
  switch (initial >> 5) {
    case Major.Unsigned:
    case Major.Negative:
      integer(r, info);
      return { at, parts: NO_PARTS };
    case Major.Bytes:
      r.bytes(argument(r, info));
      return { at, parts: NO_PARTS };
    case Major.Text:
      text(r, argument(r, info));
      return { at, parts: NO_PARTS };
    case Major.Array:
      return { at, parts: array(r, argument(r, info), deeper(r, depthLeft)) };
    case Major.Map:
      return { at, parts: map(r, info === INDEFINITE ? undefined : argument(r, info), deeper(r, depthLeft)) };
    case Major.Tag:
      return fail("tags are not in the plain subset", at);
    default:
      if (info < SIMPLE_FALSE || info > SIMPLE_NULL) fail("only false, true and null are in the plain subset", at);
      return { at, parts: NO_PARTS };
  }
}

/** The argument of a head (RFC 8949, 3), in its shortest form (4.2.1). */
function argument(r: Reader, info: number): number {
  const at = r.offset - 1;
  if (info < 24) return info;
  const [value, least] =
    info === 24
      ? [r.u8(), 24]
      : info === 25
        ? [r.u16be(), 0x100]
        : info === 26
          ? [r.u32be(), 0x1_0000]
          : info === 27
            ? [Number(r.u64be()), 0x1_0000_0000]
            : fail(info === INDEFINITE ? "indefinite length is for maps only" : "reserved head", at);
  if (value < least) fail("not in its shortest form", at);
  return value;
}

function integer(r: Reader, info: number): void {
  const at = r.offset - 1;
  // A negative integer is -1 minus the argument: the bound keeps both within what a number holds exactly.
  if (argument(r, info) >= Number.MAX_SAFE_INTEGER) fail("integer of 2^53 - 1 or beyond", at);
}

function text(r: Reader, size: number): string {
  const at = r.offset;
  const encoded = r.bytes(size);
  let decoded: string;
  try {
    decoded = UTF8.decode(encoded);
  } catch (cause) {
    throw new CodecError("not UTF-8", "", at, { cause });
  }
  // cbor-x drops it from long texts only, so two different texts could be read as one.
  if (decoded.startsWith("\ufeff")) fail("text begins with a byte-order mark", at);
  return decoded;
}

function array(r: Reader, count: number, depthLeft: number): Map<number, Layout> {
  // Each element takes a byte at least: nothing is reserved for a count that cannot be true.
  if (count > r.remaining) r.fail(`${count} elements announced, ${r.remaining} bytes left`);
  const parts = new Map<number, Layout>();
  for (let i = 0; i < count; i++)
    parts.set(
      i,
      inField(`[${i}]`, () => item(r, depthLeft)),
    );
  return parts;
}

function map(r: Reader, count: number | undefined, depthLeft: number): Map<string, Layout> {
  if (count !== undefined && count > r.remaining) r.fail(`${count} entries announced, ${r.remaining} bytes left`);
  const parts = new Map<string, Layout>();
  for (let i = 0; count === undefined ? r.peek() !== BREAK : i < count; i++) {
    const at = r.offset;
    const name = key(r);
    if (parts.has(name)) fail(`key ${JSON.stringify(shown(name))} twice`, at);
    parts.set(
      name,
      inField(shown(name), () => item(r, depthLeft)),
    );
  }
  if (count === undefined) r.u8(); // the break
  return parts;
}

const SHOWN = 64;

/** Of a key that an error names: no schema has longer ones. */
export function shown(key: string): string {
  return key.length > SHOWN ? `${key.slice(0, SHOWN)}\u2026` : key;
}

function key(r: Reader): string {
  const at = r.offset;
  const initial = r.u8();
  if (initial >> 5 !== Major.Text) fail("a key that is not a text string", at);
  return text(r, argument(r, initial & 0x1f));
}

function deeper(r: Reader, depthLeft: number): number {
  if (depthLeft === 0) fail("nested too deeply", r.offset - 1);
  return depthLeft - 1;
}

function fail(problem: string, at: number): never {
  throw new CodecError(problem, "", at);
}
