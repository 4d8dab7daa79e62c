/** Distinguished names: RFC 5280, sections 4.1.2.4 and 7.1. */
import { type Codec, decode, encode, equal, type Reader, replaceUnseen, toHex, utf8 } from "../bytes/index.ts";
import { anyElement, type Element, sequence, sequenceOf, setOf, Tag } from "./der.ts";
import { oid } from "./der-types.ts";
import { Oid } from "./oid.ts";

const MAX_RDNS = 32;
const MAX_ATTRIBUTES = 8;

/** AttributeTypeAndValue. `text` is what the contents say, when they are a string. */
export interface Attribute extends Element {
  readonly type: string;
  readonly text: string | undefined;
}

export type RelativeName = readonly Attribute[];
export type Name = readonly RelativeName[];

const FATAL_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// `*` and `&` do not belong to PrintableString (X.680, section 41.4), but certificates in the field hold them.
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?*&]*$/;

function codeUnits(octets: Uint8Array, size: 1 | 2 | 4): string | undefined {
  if (octets.byteLength % size !== 0) return undefined;
  let text = "";
  for (let i = 0; i < octets.byteLength; i += size) {
    const point = octets.subarray(i, i + size).reduce((n, octet) => n * 256 + octet, 0);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}

function utf8Text(octets: Uint8Array): string | undefined {
  try {
    return FATAL_UTF8.decode(octets);
  } catch {
    return undefined; // not UTF-8: the caller says so
  }
}

function stringOf(tag: number, octets: Uint8Array): string | undefined {
  switch (tag) {
    case Tag.Utf8String:
      return utf8Text(octets);
    case Tag.PrintableString: {
      const text = codeUnits(octets, 1) ?? "";
      return PRINTABLE.test(text) ? text : undefined;
    }
    case Tag.Ia5String:
      return octets.every((octet) => octet < 0x80) ? codeUnits(octets, 1) : undefined;
    case Tag.TeletexString:
      return codeUnits(octets, 1);
    case Tag.BmpString:
      return codeUnits(octets, 2);
    case Tag.UniversalString:
      return codeUnits(octets, 4);
    default:
      return undefined;
  }
}

/** The text of a string element; undefined for other types. */
function textOf(r: Reader, { tag, contents }: Element): string | undefined {
  if (!STRING_TAGS.has(tag)) return undefined;
  return stringOf(tag, contents) ?? r.fail("octets that do not belong to the type of this string");
}

const STRING_TAGS: ReadonlySet<number> = new Set([
  Tag.Utf8String,
  Tag.PrintableString,
  Tag.TeletexString,
  Tag.Ia5String,
  Tag.BmpString,
  Tag.UniversalString,
]);

const AttributeTypeAndValue: Codec<Attribute> = sequence({
  read(r) {
    const type = oid.read(r);
    const value = anyElement.read(r);
    return { type, ...value, text: textOf(r, value) };
  },
  write(w, { type, tag, contents }) {
    oid.write(w, type);
    anyElement.write(w, { tag, contents });
  },
});

/** RDNSequence, outermost first. May be empty: a subject then stands in the subjectAltName. */
export const NameDer: Codec<Name> = sequenceOf(setOf(AttributeTypeAndValue, 1, MAX_ATTRIBUTES), 0, MAX_RDNS);

/** An attribute of its own RDN. Countries and serial numbers are PrintableString by their definition, mail and domains IA5String, the rest UTF8String. */
export function rdn(type: string, text: string): RelativeName {
  const printable = type === Oid.countryName || type === Oid.serialNumber;
  const ia5 = type === Oid.emailAddress || type === Oid.domainComponent;
  const tag = printable ? Tag.PrintableString : ia5 ? Tag.Ia5String : Tag.Utf8String;
  const contents = utf8(text);
  if (stringOf(tag, contents) === undefined) throw new RangeError(`${text}: characters that its type does not have`);
  return [{ type, tag, contents, text }];
}

/** `[[Oid.organizationName, "Fobnail"], ...]` as a Name of one attribute an RDN. */
export function nameOf(attributes: readonly (readonly [type: string, text: string])[]): Name {
  return attributes.map(([type, text]) => rdn(type, text));
}

const folded = (text: string) => text.normalize("NFKC").toLowerCase().trim().replace(/\s+/g, " ");

/** RFC 5280, section 7.1: strings compare without regard to case, string type and runs of blanks, everything else by its octets. */
function sameAttribute(a: Attribute, b: Attribute): boolean {
  if (a.type !== b.type) return false;
  if (a.text !== undefined && b.text !== undefined) return folded(a.text) === folded(b.text);
  return a.tag === b.tag && equal(a.contents, b.contents);
}

function sameRdn(a: RelativeName, b: RelativeName): boolean {
  const isIn = (some: RelativeName, all: RelativeName) => some.every((x) => all.some((y) => sameAttribute(x, y)));
  return a.length === b.length && isIn(a, b) && isIn(b, a); // both ways: an attribute may stand twice
}

export function sameName(a: Name, b: Name): boolean {
  return a.length === b.length && isWithin(a, b);
}

/** Does `name` begin with all of `base`? So directoryName constraints are meant (RFC 5280, section 4.2.1.10). */
export function isWithin(name: Name, base: Name): boolean {
  return base.every((part, i) => {
    const own = name[i];
    return own !== undefined && sameRdn(own, part);
  });
}

/** The text of the first attribute of this type. */
export function attributeText(name: Name, type: string): string | undefined {
  return name.flat().find((attribute) => attribute.type === type)?.text;
}

const KEYWORDS: Readonly<Record<string, string>> = {
  [Oid.commonName]: "CN",
  [Oid.serialNumber]: "serialNumber",
  [Oid.countryName]: "C",
  [Oid.localityName]: "L",
  [Oid.stateOrProvinceName]: "ST",
  [Oid.organizationName]: "O",
  [Oid.organizationalUnitName]: "OU",
  [Oid.domainComponent]: "DC",
};

/** What is not shown does not reach a terminal; what separates is escaped (RFC 4514, section 2.4). */
function escaped(text: string): string {
  return replaceUnseen(text.replace(/[\\",+<>;=]/g, "\\$&"), () => "\uFFFD");
}

/** `C=PL,O=Fobnail,CN=CA certificate`, in the order of the certificate; `(empty)` for no name at all. */
export function printName(name: Name): string {
  if (name.length === 0) return "(empty)";
  const one = ({ type, text, contents }: Attribute) =>
    `${KEYWORDS[type] ?? type}=${text === undefined ? `#${toHex(contents)}` : escaped(text)}`;
  return name.map((part) => part.map(one).join("+")).join(",");
}

export function encodeName(name: Name): Uint8Array {
  return encode(NameDer, name);
}

export function decodeName(der: Uint8Array): Name {
  return decode(NameDer, der, "Name");
}
