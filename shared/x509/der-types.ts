/** The primitive types of ASN.1 that certificates use, in DER (X.690, sections 8 and 11). */
import { type Codec, type Reader, rest, type Writer } from "../bytes/index.ts";
import { Tag, tlv } from "./der.ts";

const MAX_INTEGER_BYTES = 1025; // an RSA modulus of 8192 bits and its sign octet
const MAX_OID_BYTES = 64;
const MS_PER_SECOND = 1000;

function primitive<T>(tag: number, read: (contents: Reader) => T, write: (w: Writer, value: T) => void): Codec<T> {
  return tlv(tag, { read, write });
}

/** X.690, section 11.1: TRUE is FF. */
export const boolean: Codec<boolean> = primitive(
  Tag.Boolean,
  (r) => {
    const octet = r.u8();
    if (octet !== 0x00 && octet !== 0xff) r.fail("a BOOLEAN is 00 or FF");
    return octet === 0xff;
  },
  (w, v) => w.u8(v ? 0xff : 0x00),
);

/** DEFAULT FALSE: never written, but read when an issuer wrote it out. */
export const defaultFalse: Codec<boolean> = {
  read: (r) => r.peek() === Tag.Boolean && boolean.read(r),
  write(w, value) {
    if (value) boolean.write(w, value);
  },
};

export const nullValue: Codec<null> = primitive(
  Tag.Null,
  () => null,
  () => undefined,
);

/** Two's complement octets, the fewest possible (X.690, section 8.3.2). */
export const integer: Codec<Uint8Array> = primitive(
  Tag.Integer,
  (r) => {
    const octets = r.rest();
    const [first = 0, second = 0] = octets;
    if (octets.byteLength === 0) r.fail("an INTEGER without octets");
    if (octets.byteLength > MAX_INTEGER_BYTES) r.fail(`an INTEGER of more than ${MAX_INTEGER_BYTES} octets`);
    const redundant = (first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80);
    if (octets.byteLength > 1 && redundant) r.fail("an INTEGER is not in the fewest octets");
    return octets;
  },
  (w, v) => w.bytes(v),
);

/** A non-negative INTEGER as unsigned big-endian bytes without leading zeros; zero is one zero byte. */
export const unsigned: Codec<Uint8Array> = {
  read(r) {
    const octets = integer.read(r);
    const [first = 0] = octets;
    if (first >= 0x80) r.fail("a negative INTEGER");
    return first === 0 && octets.byteLength > 1 ? octets.subarray(1) : octets;
  },
  write(w, value) {
    const start = value.findIndex((octet) => octet !== 0);
    const octets = start < 0 ? Uint8Array.of(0) : value.subarray(start);
    integer.write(w, (octets[0] ?? 0) >= 0x80 ? Uint8Array.from([0, ...octets]) : octets);
  },
};

/** A non-negative INTEGER of at most `max` (below 2^48). */
export function smallUnsigned(max: number): Codec<number> {
  return {
    read(r) {
      const octets = unsigned.read(r);
      const value = octets.byteLength > 6 ? Number.POSITIVE_INFINITY : octets.reduce((n, octet) => n * 256 + octet, 0);
      if (value > max) r.fail(`an INTEGER over ${max}`);
      return value;
    },
    write(w, value) {
      const octets: number[] = [];
      for (let left = value; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256);
      unsigned.write(w, Uint8Array.from(octets));
    },
  };
}

function readArc(r: Reader): bigint {
  let arc = 0n;
  if (r.peek() === 0x80) r.fail("an arc of an OBJECT IDENTIFIER is not in the fewest octets");
  for (;;) {
    const octet = r.u8();
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet < 0x80) return arc;
  }
}

function writeArc(w: Writer, arc: bigint): void {
  const octets = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(Number(left & 0x7fn) | 0x80);
  w.bytes(Uint8Array.from(octets));
}

/** OBJECT IDENTIFIER as dotted text. */
export const oid: Codec<string> = primitive(
  Tag.ObjectIdentifier,
  (r) => {
    if (r.remaining === 0 || r.remaining > MAX_OID_BYTES) r.fail(`an OBJECT IDENTIFIER of ${r.remaining} octets`);
    const joint = readArc(r);
    const root = joint < 80n ? joint / 40n : 2n;
    const arcs = [root, joint - 40n * root];
    while (r.remaining > 0) arcs.push(readArc(r));
    return arcs.join(".");
  },
  (w, text) => {
    const [root = 0n, second = 0n, ...arcs] = text.split(".").map(BigInt);
    writeArc(w, 40n * root + second);
    for (const arc of arcs) writeArc(w, arc);
  },
);

export const octetString: Codec<Uint8Array> = tlv(Tag.OctetString, rest);

/** A BIT STRING of whole octets: keys and signatures. */
export const bitString: Codec<Uint8Array> = primitive(
  Tag.BitString,
  (r) => {
    if (r.u8() !== 0) r.fail("a BIT STRING with unused bits");
    return r.rest();
  },
  (w, v) => w.u8(0).bytes(v),
);

/**
 * A named bit list: the numbers of the bits that are set, ascending. Written without trailing zero bits (X.690, section
 * 11.2.2), read with them too: Infineon's roots keep them in keyUsage.
 */
export const namedBits: Codec<readonly number[]> = primitive(
  Tag.BitString,
  (r) => {
    const unused = r.u8();
    const octets = r.rest();
    const bits = octets.reduce<number[]>((set, octet, i) => {
      for (let bit = 0; bit < 8; bit++) if ((octet & (0x80 >> bit)) !== 0) set.push(8 * i + bit);
      return set;
    }, []);
    const length = 8 * octets.byteLength - unused;
    if (unused > 7 || length < 0 || (bits.at(-1) ?? -1) >= length) r.fail("a wrong count of unused bits");
    return bits;
  },
  (w, bits) => {
    const length = Math.max(-1, ...bits) + 1;
    const octets = new Uint8Array(Math.ceil(length / 8));
    for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
    w.u8(8 * octets.byteLength - length).bytes(octets);
  },
);

const pad = (value: number, size: number) => String(value).padStart(size, "0");

/** Milliseconds of a date that exists; leap seconds do not (RFC 5280, section 4.1.2.5). */
function toMs(r: Reader, digits: RegExpExecArray, year: number): number {
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = digits.slice(2).map(Number);
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(ms);
  const same =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60 &&
    year > 99;
  if (!same) r.fail("a date that does not exist");
  return ms;
}

const latin = (octets: Uint8Array) => String.fromCharCode(...octets);

function readUtcTime(r: Reader): number {
  const digits = r.remaining === 13 ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(latin(r.rest())) : null;
  if (digits === null) return r.fail("a UTCTime is YYMMDDHHMMSSZ");
  const year = Number(digits[1]);
  return toMs(r, digits, year < 50 ? 2000 + year : 1900 + year);
}

function readGeneralizedTime(r: Reader): number {
  const digits = r.remaining === 15 ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(latin(r.rest())) : null;
  if (digits === null) return r.fail("a GeneralizedTime is YYYYMMDDHHMMSSZ");
  return toMs(r, digits, Number(digits[1]));
}

/** 99991231235959Z: a certificate without a well-defined end (RFC 5280, section 4.1.2.5). */
const NO_END = Date.UTC(9999, 11, 31, 23, 59, 59);
const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Time (RFC 5280, section 4.1.2.5): milliseconds since 1970; undefined is the date that means *no end*. Whole seconds are written. */
export const time: Codec<number | undefined> = {
  read(r) {
    const ms =
      r.peek() === Tag.UtcTime
        ? tlv(Tag.UtcTime, { read: readUtcTime, write: () => undefined }).read(r)
        : tlv(Tag.GeneralizedTime, { read: readGeneralizedTime, write: () => undefined }).read(r);
    return ms === NO_END ? undefined : ms;
  },
  write(w, value) {
    const date = new Date(Math.floor((value ?? NO_END) / MS_PER_SECOND) * MS_PER_SECOND);
    const year = date.getUTCFullYear();
    const fields = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes()];
    const tail = `${[...fields, date.getUTCSeconds()].map((field) => pad(field, 2)).join("")}Z`;
    const short = year >= 1950 && year < 2050;
    const text = short ? `${pad(year % 100, 2)}${tail}` : `${pad(year, 4)}${tail}`;
    tlv(short ? Tag.UtcTime : Tag.GeneralizedTime, rest).write(w, ascii(text));
  },
};
