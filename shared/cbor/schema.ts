import { CodecError, inField, utf8 } from "../bytes/index.ts";
import { type Layout, shown } from "./guard.ts";
import { decodeWithLayout, encodeItem, isMap } from "./item.ts";
import { type CborLimits, type CborValue, DEFAULT_LIMITS, IndefiniteMap } from "./value.ts";

/** What a message holds, both ways. `read` throws CodecError on a peer's mistake, `write` RangeError on our own. */
export interface CborSchema<T> {
  read(value: CborValue, layout: Layout): T;
  write(value: T): CborValue;
}

/** An entry that may be missing from its map. */
interface OptionalSchema<T> {
  readonly optional: CborSchema<T>;
}

export type InferCbor<S> = S extends CborSchema<infer T> ? T : never;

/** All of `bytes` as `schema` says, or CodecError with the path of the entry. `name` stands at the head of the path. */
export function decodeCbor<T>(
  schema: CborSchema<T>,
  bytes: Uint8Array,
  name?: string,
  limits: CborLimits = DEFAULT_LIMITS,
): T {
  return name === undefined ? readAll(schema, bytes, limits) : inField(name, () => readAll(schema, bytes, limits));
}

function readAll<T>(schema: CborSchema<T>, bytes: Uint8Array, limits: CborLimits): T {
  const { value, layout } = decodeWithLayout(bytes, limits);
  return schema.read(value, layout);
}

/** Shortest heads, map entries in the order of the schema. */
export function encodeCbor<T>(schema: CborSchema<T>, value: T, limits: CborLimits = DEFAULT_LIMITS): Uint8Array {
  return encodeItem(schema.write(value), limits);
}

/** A schema of one kind of value; `problem` says what is wrong with a value of the right kind. */
function scalar<T extends CborValue>(
  isKind: (value: CborValue) => value is T,
  kind: string,
  problem: (value: T) => string | undefined,
): CborSchema<T> {
  return {
    read(value, { at }) {
      if (!isKind(value)) throw new CodecError(`${kindOf(value)} where ${kind} belongs`, "", at);
      const wrong = problem(value);
      if (wrong !== undefined) throw new CodecError(wrong, "", at);
      return value;
    },
    write(value) {
      const wrong = problem(value);
      if (wrong !== undefined) throw new RangeError(wrong);
      return value;
    },
  };
}

interface SizeBounds {
  readonly min?: number;
  readonly max?: number;
  readonly size?: number;
}

const outside = (what: string, got: number, { size, min = size ?? 0, max = size ?? Infinity }: SizeBounds) =>
  got < min || got > max ? `${what} ${got} is not within ${min}..${max}` : undefined;

/** A byte string; bounds count bytes. */
const bytes = (bounds: SizeBounds = {}): CborSchema<Uint8Array> =>
  scalar(
    (v) => v instanceof Uint8Array,
    "a byte string",
    (v) => outside("size", v.byteLength, bounds),
  );

/** A text string; bounds count its UTF-8 bytes. */
const text = (bounds: SizeBounds = {}): CborSchema<string> =>
  scalar(
    (v) => typeof v === "string",
    "a text string",
    (v) => outside("size", utf8(v).byteLength, bounds),
  );

/** One of these texts and no other. */
const word = <const W extends string>(words: readonly W[]): CborSchema<W> =>
  scalar(
    (v): v is W => typeof v === "string",
    "a text string",
    (v) => (words.includes(v) ? undefined : "not one of the words that belong here"),
  );

/** An unsigned integer of `min` to `max`, both included. */
const uint = (max: number, min = 0): CborSchema<number> =>
  scalar(
    (v) => typeof v === "number",
    "an unsigned integer",
    (v) => outside("value", v, { min, max }),
  );

/** An array of `min` to `max` items. */
function array<T>(item: CborSchema<T>, max: number, min = 0): CborSchema<readonly T[]> {
  return {
    read(value, layout) {
      if (!Array.isArray(value)) throw new CodecError(`${kindOf(value)} where an array belongs`, "", layout.at);
      const wrong = outside("count", value.length, { min, max });
      if (wrong !== undefined) throw new CodecError(wrong, "", layout.at);
      return value.map((part, i) => inField(`[${i}]`, () => item.read(part, layout.parts.get(i) ?? layout)));
    },
    write(values) {
      const wrong = outside("count", values.length, { min, max });
      if (wrong !== undefined) throw new RangeError(wrong);
      return values.map((part) => item.write(part));
    },
  };
}

type AnySchema = { read(value: CborValue, layout: Layout): unknown; write(value: never): CborValue };
type AnyEntry = AnySchema | { readonly optional: AnySchema };
type Entries = Readonly<Record<string, AnyEntry>>;
type OptionalKeys<E> = { [K in keyof E]: E[K] extends { readonly optional: AnySchema } ? K : never }[keyof E];
type InferEntry<S> = S extends { read(value: CborValue, layout: Layout): infer T } ? T : never;
type InferMap<E> = { readonly [K in Exclude<keyof E, OptionalKeys<E>>]: InferEntry<E[K]> } & {
  readonly [K in OptionalKeys<E>]?: E[K] extends { readonly optional: infer S } ? InferEntry<S> : never;
};

interface MapOptions {
  /** Encode with indefinite length, as the reference token does. Only at the top of an item. Decoding takes both. */
  readonly indefinite?: boolean;
  /** What an entry outside the schema means; refused unless said otherwise. */
  readonly unknownKeys?: "refuse" | "ignore";
}

/** A map with these entries, in any order. */
function map<E extends Entries>(entries: E, options: MapOptions = {}): CborSchema<InferMap<E>> {
  const all: readonly (readonly [string, AnyEntry])[] = Object.entries(entries);
  return {
    read(value, layout) {
      if (!isMap(value)) throw new CodecError(`${kindOf(value)} where a map belongs`, "", layout.at);
      if (options.unknownKeys !== "ignore") refuseUnknown(value, entries, layout);
      const result: Record<string, unknown> = {};
      for (const [key, entry] of all) {
        const part = value.get(key);
        const schema = "optional" in entry ? entry.optional : entry;
        if (part !== undefined) result[key] = inField(key, () => schema.read(part, layout.parts.get(key) ?? layout));
        else if (schema === entry) throw new CodecError("missing", key, layout.at);
      }
      return result as InferMap<E>;
    },
    write(value) {
      const source: Readonly<Record<string, unknown>> = value;
      const parts = options.indefinite === true ? new IndefiniteMap() : new Map<string, CborValue>();
      for (const [key, entry] of all) {
        const part = source[key];
        const schema = "optional" in entry ? entry.optional : entry;
        if (part !== undefined || schema === entry) parts.set(key, schema.write(part as never));
      }
      return parts;
    },
  };
}

function refuseUnknown(value: ReadonlyMap<string, CborValue>, entries: Entries, layout: Layout): void {
  for (const key of value.keys()) {
    if (!Object.hasOwn(entries, key))
      throw new CodecError("unknown key", shown(key), layout.parts.get(key)?.at ?? layout.at);
  }
}

function kindOf(value: CborValue): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return "a byte string";
  if (Array.isArray(value)) return "an array";
  if (isMap(value)) return "a map";
  return { number: "an integer", string: "a text string", boolean: "a boolean" }[String(typeof value)] ?? typeof value;
}

const optional = <T>(schema: CborSchema<T>): OptionalSchema<T> => ({ optional: schema });

/** The schema words: `cbor.map({ certs: cbor.array(cbor.bytes({ max: 4096 }), 4) })`. */
export const cbor = { bytes, text, word, uint, array, map, optional } as const;
