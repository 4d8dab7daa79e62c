import { inField, seenFrom } from "./error.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** How a value lies in bytes, both ways. `read` throws CodecError on malformed input, `write` RangeError on an impossible value. */
export interface Codec<T> {
  read(from: Reader): T;
  write(to: Writer, value: T): void;
}

export type Infer<C> = C extends Codec<infer T> ? T : never;

/** All of `bytes`, or CodecError: a trailing byte is an error. `name` stands at the head of the error's path. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array, name?: string): T {
  const reader = new Reader(bytes);
  try {
    const value = codec.read(reader);
    reader.end();
    return value;
  } catch (error) {
    throw name === undefined ? error : seenFrom(name, error);
  }
}

/** Most of what is encoded fits; the rest grows out of it. */
const ROOM_BYTES = 2_048;
/** Not in use: there are as many as structures lie in one another, each encoded by itself. */
const rooms: Uint8Array[] = [];

/** RangeError on an impossible value. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const room = rooms.pop() ?? new Uint8Array(ROOM_BYTES); // an array for each would cost more than to fill it
  try {
    const writer = new Writer(room);
    codec.write(writer, value);
    return writer.copy();
  } finally {
    rooms.push(room);
  }
}

const codec = <T>(read: (from: Reader) => T, write: (to: Writer, value: T) => void): Codec<T> => ({ read, write });

export const u8 = codec<number>((r) => r.u8(), (w, v) => w.u8(v)); // biome-ignore format: one primitive, one line
export const u16be = codec<number>((r) => r.u16be(), (w, v) => w.u16be(v)); // biome-ignore format: as above
export const u32be = codec<number>((r) => r.u32be(), (w, v) => w.u32be(v)); // biome-ignore format: as above
export const u64be = codec<bigint>((r) => r.u64be(), (w, v) => w.u64be(v)); // biome-ignore format: as above
export const u16le = codec<number>((r) => r.u16le(), (w, v) => w.u16le(v)); // biome-ignore format: as above
export const u32le = codec<number>((r) => r.u32le(), (w, v) => w.u32le(v)); // biome-ignore format: as above
export const u64le = codec<bigint>((r) => r.u64le(), (w, v) => w.u64le(v)); // biome-ignore format: as above
/** Everything up to the end of the enclosing structure. */
export const rest = codec<Uint8Array>((r) => r.rest(), (w, v) => w.bytes(v)); // biome-ignore format: as above

/** Exactly `size` bytes. */
export function fixed(size: number): Codec<Uint8Array> {
  return codec(
    (r) => r.bytes(size),
    (w, v) => {
      if (v.byteLength !== size) throw new RangeError(`${v.byteLength} bytes where ${size} belong`);
      w.bytes(v);
    },
  );
}

/** A byte count, then that many bytes: at least `min`, at most `max`. */
export function sized(count: Codec<number>, max: number, min = 0): Codec<Uint8Array> {
  return codec(
    (r) => r.bytes(bounded(r, count.read(r), min, max, "size")),
    (w, v) => {
      count.write(w, inRange(v.byteLength, min, max));
      w.bytes(v);
    },
  );
}

/** A byte count, then one `inner` of exactly that many bytes. */
export function framed<T>(count: Codec<number>, inner: Codec<T>, max: number): Codec<T> {
  return codec(
    (r) => {
      const body = r.within(bounded(r, count.read(r), 0, max, "size"));
      const value = inner.read(body);
      body.end();
      return value;
    },
    (w, v) => {
      const body = encode(inner, v);
      count.write(w, inRange(body.byteLength, 0, max));
      w.bytes(body);
    },
  );
}

/** An element count of at least `min` and at most `max`, then the elements. */
export function list<T>(count: Codec<number>, item: Codec<T>, max: number, min = 0): Codec<readonly T[]> {
  return codec(
    (r) => {
      const length = bounded(r, count.read(r), min, max, "count");
      const values: T[] = [];
      for (let i = 0; i < length; i++) {
        try {
          values.push(item.read(r));
        } catch (error) {
          throw seenFrom(`[${i}]`, error);
        }
      }
      return values;
    },
    (w, values) => {
      count.write(w, inRange(values.length, min, max));
      for (const value of values) item.write(w, value);
    },
  );
}

/** A field that may hold only this value. */
export function constant<const V extends number>(inner: Codec<number>, value: V): Codec<V> {
  return codec(
    (r) => {
      const got = inner.read(r);
      if (got !== value) r.fail(`${hexNumber(got)} where ${hexNumber(value)} belongs`);
      return value;
    },
    (w) => inner.write(w, value),
  );
}

/** A field that may hold only one of these values. */
export function oneOf<const V extends number>(inner: Codec<number>, values: readonly V[]): Codec<V> {
  return codec(
    (r) => {
      const got = inner.read(r);
      const known = values.find((v) => v === got);
      return known ?? r.fail(`${hexNumber(got)} is not among the allowed values`);
    },
    (w, v) => inner.write(w, v),
  );
}

/** A word of flags; a set bit outside `allowed` is an error (reserved bits). */
export function flags(inner: Codec<number>, allowed: number): Codec<number> {
  return codec(
    (r) => {
      const got = inner.read(r);
      if ((got & ~allowed) !== 0) r.fail(`reserved bits set in ${hexNumber(got)}`);
      return got;
    },
    (w, v) => inner.write(w, v),
  );
}

/** The value seen through a pair of functions; `to` may throw CodecError, or refuse by returning undefined. */
export function mapped<A, B>(inner: Codec<A>, to: (value: A) => B | undefined, from: (value: B) => A): Codec<B> {
  return codec(
    (r) => {
      const value = to(inner.read(r));
      return value === undefined ? r.fail("value not allowed") : value;
    },
    (w, v) => inner.write(w, from(v)),
  );
}

type InferField<C> = C extends { read(from: Reader): infer T } ? T : never;
export type InferFields<F> = { readonly [K in keyof F]: InferField<F[K]> };
export type AnyFields = Readonly<
  Record<string, { read(from: Reader): unknown; write(to: Writer, value: never): void }>
>;

type FieldList = readonly (readonly [name: string, field: AnyFields[string]])[];

/** Without a closure for each field: all that is received goes through here. */
function readFields(fields: FieldList, r: Reader, into: Record<string, unknown>): Record<string, unknown> {
  for (const [name, field] of fields) {
    try {
      into[name] = field.read(r);
    } catch (error) {
      throw seenFrom(name, error);
    }
  }
  return into;
}

function writeFields(fields: FieldList, w: Writer, value: Readonly<Record<string, unknown>>): void {
  for (const [name, field] of fields) field.write(w, value[name] as never);
}

/** Fields in the order of the declaration. `name` is the standard's name and stands in the error path. */
export function struct<F extends AnyFields>(name: string, fields: F): Codec<InferFields<F>> {
  const all: FieldList = Object.entries(fields);
  return codec(
    (r) => inField(name, () => readFields(all, r, {}) as InferFields<F>),
    (w, v) => writeFields(all, w, v),
  );
}

/**
 * A selector field followed by the fields that belong to its value, all in one flat value: the discriminated union of the
 * standard. A selector without a case is an error.
 */
export function tagged<K extends string, C extends Readonly<Record<number, AnyFields>>>(
  name: string,
  selector: K,
  selectorCodec: Codec<number>,
  cases: C,
): Codec<{ [T in keyof C & number]: Readonly<Record<K, T>> & InferFields<C[T]> }[keyof C & number]> {
  const byTag: ReadonlyMap<number, FieldList> = new Map(
    Object.entries(cases).map(([tag, fields]) => [Number(tag), Object.entries(fields)]),
  );
  type Value = { [T in keyof C & number]: Readonly<Record<K, T>> & InferFields<C[T]> }[keyof C & number];
  return codec(
    (r) =>
      inField(name, () => {
        const tag = inField(selector, () => selectorCodec.read(r));
        const fields = byTag.get(tag) ?? r.fail(`${selector} ${hexNumber(tag)} is not known`);
        return readFields(fields, r, { [selector]: tag }) as Value;
      }),
    (w, v) => {
      const value: Readonly<Record<string, unknown>> = v;
      const tag = Number(value[selector]);
      const fields = byTag.get(tag);
      if (fields === undefined) throw new RangeError(`${name}: ${selector} ${hexNumber(tag)} is not known`);
      selectorCodec.write(w, tag);
      writeFields(fields, w, value);
    },
  );
}

function bounded(r: Reader, value: number, min: number, max: number, what: string): number {
  if (value < min || value > max) r.fail(`${what} ${value} is not within ${min}..${max}`);
  return value;
}

function inRange(value: number, min: number, max: number): number {
  if (value < min || value > max) throw new RangeError(`${value} is not within ${min}..${max}`);
  return value;
}

function hexNumber(value: number): string {
  return `0x${value.toString(16)}`;
}
