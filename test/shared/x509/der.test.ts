import assert from "node:assert/strict";
import fc from "fast-check";
import { type Codec, CodecError, decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import { element, firstElement, setOf } from "../../../shared/x509/der.ts";
import {
  bitString,
  boolean,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  smallUnsigned,
  time,
  unsigned,
} from "../../../shared/x509/der-types.ts";
import { decodeName, encodeName, nameOf, Oid, sameName } from "../../../shared/x509/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

const hex = (text: string) => fromHex(text.replaceAll(" ", "")) ?? assert.fail(text);
const anyBytes = fc.uint8Array({ maxLength: 300 });

function both<T>(codec: Codec<T>, text: string, value: T): void {
  assert.deepEqual(decode(codec, hex(text)), value, text);
  assert.equal(toHex(encode(codec, value)), text.replaceAll(" ", ""));
  assertStrict(text, (bytes) => decode(codec, bytes), hex(text));
}

function bad(codec: Codec<unknown>, ...texts: readonly string[]): void {
  for (const text of texts) assert.throws(() => decode(codec, hex(text)), CodecError, text);
}

function roundTrip<T>(codec: Codec<T>, values: fc.Arbitrary<T>): void {
  fc.assert(fc.property(values, (value) => assert.deepEqual(decode(codec, encode(codec, value)), value)));
}

describe("shared/x509 DER", () => {
  it("lengths: definite, in the fewest octets (X.690, 10.1)", () => {
    both(octetString, "04 00", new Uint8Array());
    assert.equal(encode(octetString, new Uint8Array(127)).byteLength, 129);
    assert.equal(toHex(encode(octetString, new Uint8Array(128)).subarray(0, 3)), "048180");
    assert.equal(toHex(encode(octetString, new Uint8Array(256)).subarray(0, 4)), "04820100");
    bad(octetString, "0480", "0480 0000", "048100", "04817f", "0482007f", "048200ff", "0483010000", "0485");
    bad(element, "1f8101 00", "30 02 04 05", "30 80 0000");
    roundTrip(octetString, anyBytes);
  });

  it("nesting is bounded", () => {
    let deep: Uint8Array = hex("0500");
    for (let i = 0; i < 15; i++) deep = Uint8Array.of(0x30, deep.byteLength, ...deep);
    decode(element, deep);
    for (let i = 0; i < 3; i++) deep = Uint8Array.of(0x30, deep.byteLength, ...deep);
    assert.throws(() => decode(element, deep), /nested deeper/);
  });

  it("BOOLEAN, NULL", () => {
    both(boolean, "01 01 ff", true);
    both(boolean, "01 01 00", false);
    bad(boolean, "010101", "01017f", "0100", "0102ffff");
    both(nullValue, "05 00", null);
    bad(nullValue, "050100");
  });

  it("INTEGER: the fewest octets (X.690, 8.3)", () => {
    both(integer, "02 01 80", hex("80"));
    both(unsigned, "02 02 00 80", hex("80"));
    both(unsigned, "02 01 00", hex("00"));
    both(smallUnsigned(70000), "02 03 01 00 00", 65536);
    bad(integer, "0200", "02020001", "0202ff80", "0202007f");
    bad(unsigned, "020180", "0202ff7f");
    bad(smallUnsigned(255), "02020100", "0207010000000000 00");
    roundTrip(smallUnsigned(2 ** 48 - 1), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
  });

  it("OBJECT IDENTIFIER (X.690, 8.19)", () => {
    both(oid, "06 09 2a864886f70d01010b", Oid.sha256WithRsa);
    both(oid, "06 03 813403", "2.100.3"); // the example of X.690, 8.19.5
    both(oid, "06 05 6781050801", Oid.ekCertificateUsage);
    both(oid, "06 01 27", "0.39");
    bad(oid, "0600", "06028001", "060281", "06032a8001");
    const arc = fc.bigInt({ min: 0n, max: 2n ** 64n });
    roundTrip(
      oid,
      fc.array(arc, { maxLength: 5 }).map((arcs) => ["2", "999", ...arcs].join(".")),
    );
  });

  it("BIT STRING", () => {
    both(bitString, "03 02 00 80", hex("80"));
    bad(bitString, "0300", "03020180");
    both(namedBits, "03 02 05 a0", [0, 2]);
    both(namedBits, "03 03 07 0080", [8]);
    assert.deepEqual(decode(namedBits, hex("03020006")), [5, 6]);
    bad(namedBits, "0300", "03020806", "03020306", "030101");
    roundTrip(
      namedBits,
      fc.uniqueArray(fc.integer({ min: 0, max: 30 })).map((bits) => bits.sort((a, b) => a - b)),
    );
  });

  it("times that exist (RFC 5280, 4.1.2.5)", () => {
    const utc = (text: string) => `170d${Buffer.from(text, "latin1").toString("hex")}`;
    const generalized = (text: string) => `180f${Buffer.from(text, "latin1").toString("hex")}`;
    both(time, utc("491231235959Z"), Date.UTC(2049, 11, 31, 23, 59, 59));
    both(time, utc("500101000000Z"), Date.UTC(1950, 0, 1));
    both(time, utc("240229120000Z"), Date.UTC(2024, 1, 29, 12));
    both(time, generalized("99991231235959Z"), undefined);
    assert.equal(decode(time, hex(generalized("20260101000000Z"))), Date.UTC(2026, 0, 1));
    const wrong = [
      "230229120000Z",
      "241301000000Z",
      "240100000000Z",
      "240101240000Z",
      "240101006000Z",
      "24010100000 Z",
    ];
    bad(time, ...wrong.map(utc), utc("240101000060Z"), generalized("20241301000000Z"), generalized("00240101000000Z"));
    bad(time, `170b${Buffer.from("2401010000Z").toString("hex")}`, "0500");
    const whole = fc.integer({ min: -631_152_000, max: 250_000_000_000 });
    roundTrip(
      time as Codec<number | undefined>,
      whole.map((seconds) => 1000 * seconds),
    );
  });

  it("SET OF is written in ascending order and read in any", () => {
    const set = setOf(octetString, 1, 4);
    const values = ["ff", "00", "0001"].map(hex);
    assert.equal(toHex(encode(set, values)), "310a04010004 01ff0402 0001".replaceAll(" ", ""));
    assert.deepEqual(decode(set, hex("310a 04020001 0401ff 040100")).map(toHex), ["0001", "ff", "00"]);
    bad(set, "3100", "310a 040100 040100 040100 0401", "310f 040100040100040100040100040100");
  });

  it("the element at the head of padded bytes", () => {
    assert.equal(toHex(firstElement(hex("3003020105 ffffff"))), "3003020105");
    assert.throws(() => firstElement(hex("30040201")), CodecError);
    assert.throws(() => firstElement(new Uint8Array()), CodecError);
  });

  it("names: types of strings, comparison by RFC 5280, 7.1", () => {
    const name = nameOf([
      [Oid.countryName, "PL"],
      [Oid.organizationName, "Łódź"],
      [Oid.emailAddress, "a@example.com"],
    ]);
    assert.deepEqual(decodeName(encodeName(name)), name);
    assertStrict("name", decodeName, encodeName(name));
    const cn = (text: string) => nameOf([[Oid.commonName, text]]);
    assert.ok(sameName(cn("CA  Certificate "), cn("ca certificate")));
    assert.ok(!sameName(cn("CA1"), cn("CA2")));
    assert.ok(!sameName(cn("CA"), nameOf([[Oid.organizationName, "CA"]])));
    assert.ok(!sameName(cn("CA"), []));
    // The same text as PrintableString and as UTF8String
    const printable = decodeName(hex("300d 310b 3009 0603550403 1302 4341"));
    assert.ok(sameName(printable, cn("CA")));
    // Bytes that are no string of their type
    for (const value of ["0c02 c328", "1301 40", "1601 80", "1e01 41", "1e02 d800"]) {
      const contents = hex(value);
      const attribute = `0603550403${toHex(contents)}`;
      const wrap = (tag: string, inner: string) => `${tag}${(inner.length / 2).toString(16).padStart(2, "0")}${inner}`;
      assert.throws(() => decodeName(hex(wrap("30", wrap("31", wrap("30", attribute))))), CodecError, value);
    }
    assert.throws(() => nameOf([[Oid.serialNumber, "ż"]]), RangeError);
    fuzzDecoder("name", decodeName, [encodeName(name)]);
  });
});
