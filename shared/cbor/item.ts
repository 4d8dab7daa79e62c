// This entry leaves the optional native addon alone: the same code decodes on every machine.
import { Encoder } from "cbor-x/encode";
import { concat } from "../bytes/index.ts";
import { guard, type Layout } from "./guard.ts";
import { type CborLimits, type CborValue, DEFAULT_LIMITS, IndefiniteMap } from "./value.ts";

const LARGEST_UINT32 = 0xffff_ffff;
const INDEFINITE_MAP = Uint8Array.of(0xbf);
const BREAK = Uint8Array.of(0xff);

const library = new Encoder({
  useRecords: false,
  tagUint8Array: false,
  variableMapSize: true, // the shortest head that fits
  mapsAsObjects: false,
});

/** Exactly one item of the plain subset within `limits`; CodecError otherwise. Byte strings are copies. */
export function decodeItem(bytes: Uint8Array, limits: CborLimits = DEFAULT_LIMITS): CborValue {
  return decodeWithLayout(bytes, limits).value;
}

export function decodeWithLayout(bytes: Uint8Array, limits: CborLimits): { value: CborValue; layout: Layout } {
  const layout = guard(bytes, limits);
  // A plain view of its own: cbor-x leaves a property behind on what it is handed, and makes Buffers of parts of Buffers.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { value: fromLibrary(library.decode(view)), layout };
}

/** The item with shortest heads. Throws RangeError for what the plain subset has no form for, or what exceeds `limits`. */
export function encodeItem(value: CborValue, limits: CborLimits = DEFAULT_LIMITS): Uint8Array {
  const bytes = encodeUnchecked(value);
  try {
    guard(bytes, limits); // one door, both ways: nothing leaves that would not be let in
  } catch (cause) {
    throw new RangeError("a value that the plain subset cannot carry", { cause });
  }
  return bytes;
}

function encodeUnchecked(value: CborValue): Uint8Array {
  if (!(value instanceof IndefiniteMap)) return new Uint8Array(library.encode(toLibrary(value)));
  const definite: Uint8Array = library.encode(toLibrary(new Map(value))); // the library has no maps of indefinite length
  return concat(INDEFINITE_MAP, definite.subarray(headBytes(value.size)), BREAK);
}

/** Of the head of a container of so many entries, RFC 8949, 3. */
function headBytes(count: number): number {
  return count < 24 ? 1 : count < 0x100 ? 2 : 3; // of more than 65,535 the guard would have something to say
}

/** cbor-x makes floats of integers whose argument needs nine bytes, unless they come as bigint. */
function toLibrary(value: CborValue): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    return value > LARGEST_UINT32 || value < -LARGEST_UINT32 - 1 ? BigInt(value) : value + 0; // + 0: no negative zero
  }
  if (value instanceof Uint8Array) return value;
  if (value instanceof IndefiniteMap) throw new RangeError("an indefinite map within a definite container");
  if (isMap(value)) {
    const parts = new Map<string, unknown>();
    for (const [key, part] of value) parts.set(key, toLibrary(part));
    return parts;
  }
  if (Array.isArray(value)) return value.map(toLibrary);
  throw new RangeError(`${typeof value} has no form in the plain subset`);
}

function fromLibrary(value: unknown): CborValue {
  if (typeof value === "bigint") return Number(value); // the guard bounded it
  if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number") {
    return value;
  }
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(fromLibrary);
  if (value instanceof Map) {
    const parts = new Map<string, CborValue>();
    for (const [key, part] of value) parts.set(String(key), fromLibrary(part));
    return parts;
  }
  throw new TypeError(`the CBOR library returned ${typeof value}`);
}

export function isMap(value: CborValue): value is ReadonlyMap<string, CborValue> {
  return value instanceof Map;
}
