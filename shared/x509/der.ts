/**
 * The frame of the Distinguished Encoding Rules (X.690, sections 8 and 10): tag, definite length in the fewest octets,
 * contents. DER is canonical, so the octets of an element follow from its tag and contents.
 */
import { type Codec, encode, Reader, type Writer } from "../bytes/index.ts";

/** X.680, section 8.6; constructed forms carry bit 6. */
export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Null: 0x05,
  ObjectIdentifier: 0x06,
  Utf8String: 0x0c,
  PrintableString: 0x13,
  TeletexString: 0x14,
  Ia5String: 0x16,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  UniversalString: 0x1c,
  BmpString: 0x1e,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** Nothing that we read is longer; a certificate has some thousand bytes. */
export const MAX_ELEMENT_BYTES = 0xffff;
const MAX_DEPTH = 16;
const CONSTRUCTED = 0x20;

/** Context-specific tag of a primitive (`[n] IMPLICIT` of a primitive type). */
export function contextTag(n: number): number {
  return 0x80 | n;
}

/** Context-specific tag of a constructed encoding (`[n] EXPLICIT`, or `[n] IMPLICIT` of SEQUENCE and SET). */
export function constructedContextTag(n: number): number {
  return 0xa0 | n;
}

interface Header {
  readonly tag: number;
  readonly length: number;
}

function readLength(r: Reader): number {
  const first = r.u8();
  if (first < 0x80) return first;
  if (first === 0x80) r.fail("indefinite length");
  const octets = first & 0x7f;
  if (octets > 2) r.fail(`a length of ${octets} octets: elements have ${MAX_ELEMENT_BYTES} bytes at most`);
  const length = octets === 1 ? r.u8() : r.u16be();
  if (length < (octets === 1 ? 0x80 : 0x100)) r.fail("length is not in the fewest octets");
  return length;
}

function readHeader(r: Reader): Header {
  const tag = r.u8();
  if ((tag & 0x1f) === 0x1f) r.fail("tag number over 30");
  return { tag, length: readLength(r) };
}

/** The cursor over the contents of the next element, which must have `tag`. */
function open(r: Reader, tag: number): Reader {
  const got = r.peek();
  if (got !== tag)
    r.fail(got === undefined ? `tag ${hex(tag)} is missing` : `tag ${hex(got)} where ${hex(tag)} belongs`);
  return r.within(readHeader(r).length);
}

function writeHeader(w: Writer, tag: number, length: number): void {
  w.u8(tag);
  if (length > MAX_ELEMENT_BYTES) throw new RangeError(`an element of ${length} bytes`);
  if (length < 0x80) w.u8(length);
  else if (length < 0x100) w.u8(0x81).u8(length);
  else w.u8(0x82).u16be(length);
}

/** One element with this tag around `inner`, which must take all of its contents. */
export function tlv<T>(tag: number, inner: Codec<T>): Codec<T> {
  return {
    read(r) {
      const contents = open(r, tag);
      const value = inner.read(contents);
      contents.end();
      return value;
    },
    write(w, value) {
      const contents = encode(inner, value);
      writeHeader(w, tag, contents.byteLength);
      w.bytes(contents);
    },
  };
}

export function sequence<T>(inner: Codec<T>): Codec<T> {
  return tlv(Tag.Sequence, inner);
}

/** `[n] EXPLICIT`. */
export function explicit<T>(n: number, inner: Codec<T>): Codec<T> {
  return tlv(constructedContextTag(n), inner);
}

function checkContents(contents: Reader, depth: number): void {
  if (depth > MAX_DEPTH) contents.fail(`nested deeper than ${MAX_DEPTH}`);
  while (contents.remaining > 0) {
    const { tag, length } = readHeader(contents);
    const inner = contents.within(length);
    if ((tag & CONSTRUCTED) !== 0) checkContents(inner, depth + 1);
  }
}

/** An element taken apart: its tag and the octets of its contents. */
export interface Element {
  readonly tag: number;
  readonly contents: Uint8Array;
}

/** Any one element; what is nested in it has well-formed frames. */
export const anyElement: Codec<Element> = {
  read(r) {
    const { tag, length } = readHeader(r);
    const at = r.offset;
    const contents = r.bytes(length);
    if ((tag & CONSTRUCTED) !== 0) checkContents(new Reader(contents, at), 1);
    return { tag, contents };
  },
  write(w, { tag, contents }) {
    writeHeader(w, tag, contents.byteLength);
    w.bytes(contents);
  },
};

/** Any one element as its octets, header included. */
export const element: Codec<Uint8Array> = {
  read: (r) => encode(anyElement, anyElement.read(r)),
  write: (w, value) => w.bytes(value),
};

/** Wraps a codec so that the octets of the element stay at hand: what is signed is the received bytes. */
export function withOctets<T>(inner: Codec<T>): Codec<{ readonly octets: Uint8Array; readonly value: T }> {
  return {
    read(r) {
      const at = r.offset;
      const octets = element.read(r);
      const nested = new Reader(octets, at);
      const value = inner.read(nested);
      nested.end();
      return { octets, value };
    },
    write: (w, { octets }) => w.bytes(octets),
  };
}

/** Present exactly when the next element has `tag`. */
export function optional<T>(tag: number, inner: Codec<T>): Codec<T | undefined> {
  return {
    read: (r) => (r.peek() === tag ? inner.read(r) : undefined),
    write(w, value) {
      if (value !== undefined) inner.write(w, value);
    },
  };
}

/** Whatever element stands next, or nothing at the end of the enclosing one. */
export const optionalElement: Codec<Uint8Array | undefined> = {
  read: (r) => (r.remaining > 0 ? element.read(r) : undefined),
  write(w, value) {
    if (value !== undefined) element.write(w, value);
  },
};

/** DEFAULT: the default value is never encoded (X.690, section 11.5). */
export function withDefault<T>(tag: number, inner: Codec<T>, standard: T): Codec<T> {
  return {
    read(r) {
      if (r.peek() !== tag) return standard;
      const value = inner.read(r);
      if (value === standard) r.fail("a default value is encoded");
      return value;
    },
    write(w, value) {
      if (value !== standard) inner.write(w, value);
    },
  };
}

/** Elements up to the end of the enclosing one; `min` to `max` of them. */
export function many<T>(item: Codec<T>, min: number, max: number): Codec<readonly T[]> {
  return {
    read(r) {
      const values: T[] = [];
      while (r.remaining > 0) {
        if (values.length === max) r.fail(`more than ${max} elements`);
        values.push(item.read(r));
      }
      if (values.length < min) r.fail(`${values.length} elements where at least ${min} belong`);
      return values;
    },
    write(w, values) {
      if (values.length < min || values.length > max) throw new RangeError(`${values.length} elements`);
      for (const value of values) item.write(w, value);
    },
  };
}

export function sequenceOf<T>(item: Codec<T>, min: number, max: number): Codec<readonly T[]> {
  return sequence(many(item, min, max));
}

/** X.690, section 11.6: ascending octet strings, the shorter one padded with zeros. */
function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const length = Math.max(a.byteLength, b.byteLength);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** SET OF: written in ascending order, read in any: the attributes inside the names of Nuvoton's certificates are not sorted. */
export function setOf<T>(item: Codec<T>, min: number, max: number): Codec<readonly T[]> {
  const octets = tlv(Tag.Set, many(element, min, max));
  return {
    read: (r) => tlv(Tag.Set, many(item, min, max)).read(r),
    write: (w, values) => octets.write(w, values.map((value) => encode(item, value)).sort(compareOctets)),
  };
}

/**
 * The element that `bytes` begin with, cut to its own length: certificates in NV indices and on the wire of old programs are
 * padded. Throws CodecError when it is not whole.
 */
export function firstElement(bytes: Uint8Array): Uint8Array {
  return element.read(new Reader(bytes));
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}
