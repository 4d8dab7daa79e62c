import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { CodecError, concat, fromHex, toHex } from "../../../shared/bytes/index.ts";
import { type CborValue, decodeItem, encodeItem } from "../../../shared/cbor/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

const hex = (text: string) => fromHex(text.replaceAll(" ", "")) ?? assert.fail(`not hexadecimal: ${text}`);
const vector = (name: string) => new Uint8Array(readFileSync(new URL(`../../vectors/v0/${name}`, import.meta.url)));

const CBOR_VECTORS = [
  "01_ek.resp.bin",
  "03_challenge.req.bin",
  "04_metadata_prov.resp.bin",
  "05_rim.resp.bin",
  "06_metadata_att.req.bin",
  "06_metadata_att.resp.bin",
  "07_quote.req.bin",
  "07_quote.resp.bin",
];

/** RFC 8949, Appendix A: what of it is in the plain subset, and encodes to the same bytes again. */
const ACCEPTED: readonly (readonly [string, CborValue])[] = [
  ["00", 0],
  ["01", 1],
  ["0a", 10],
  ["17", 23],
  ["1818", 24],
  ["1819", 25],
  ["1864", 100],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["20", -1],
  ["29", -10],
  ["3863", -100],
  ["3903e7", -1000],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", new Uint8Array()],
  ["4401020304", Uint8Array.of(1, 2, 3, 4)],
  ["60", ""],
  ["6161", "a"],
  ["6449455446", "IETF"],
  ["62225c", '"\\'],
  ["62c3bc", "\u00fc"],
  ["63e6b0b4", "\u6c34"],
  ["64f0908591", "\ud800\udd51"],
  ["80", []],
  ["83010203", [1, 2, 3]],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  ["98190102030405060708090a0b0c0d0e0f101112131415161718181819", Array.from({ length: 25 }, (_, i) => i + 1)],
  ["a0", new Map()],
  ["a26161016162820203", new Map<string, CborValue>([["a", 1], ["b", [2, 3]]])], // biome-ignore format: a row of a table
  ["826161a161626163", ["a", new Map([["b", "c"]])]],
  ["a56161614161626142616361436164614461656145", new Map([..."abcde"].map((c) => [c, c.toUpperCase()]))],
];

/** Appendix A again: indefinite maps are decoded, and come out definite when encoded. */
const INDEFINITE: readonly (readonly [string, CborValue])[] = [
  ["bf6161016162820203ff", new Map<string, CborValue>([["a", 1], ["b", [2, 3]]])], // biome-ignore format: a row of a table
  ["826161bf61626163ff", ["a", new Map([["b", "c"]])]],
  ["bf6346756ef563416d7421ff", new Map<string, CborValue>([["Fun", true], ["Amt", -2]])], // biome-ignore format: a row of a table
];

const REFUSED: readonly (readonly [string, string])[] = [
  // Appendix A: outside the plain subset.
  ["1bffffffffffffffff", "2^64 - 1"],
  ["c249010000000000000000", "bignum"],
  ["3bffffffffffffffff", "-2^64"],
  ["c349010000000000000000", "negative bignum"],
  ["f90000", "half float 0.0"],
  ["f98000", "half float -0.0"],
  ["f93c00", "half float 1.0"],
  ["fb3ff199999999999a", "double float 1.1"],
  ["f93e00", "half float 1.5"],
  ["f97bff", "half float 65504.0"],
  ["fa47c35000", "single float 100000.0"],
  ["fa7f7fffff", "single float, the largest"],
  ["fb7e37e43c8800759c", "double float 1.0e+300"],
  ["f90001", "half float, the smallest"],
  ["f90400", "half float 2^-14"],
  ["f9c400", "half float -4.0"],
  ["fbc010666666666666", "double float -4.1"],
  ["f97c00", "half Infinity"],
  ["f97e00", "half NaN"],
  ["f9fc00", "half -Infinity"],
  ["fa7f800000", "single Infinity"],
  ["fa7fc00000", "single NaN"],
  ["faff800000", "single -Infinity"],
  ["fb7ff0000000000000", "double Infinity"],
  ["fb7ff8000000000000", "double NaN"],
  ["fbfff0000000000000", "double -Infinity"],
  ["f7", "undefined"],
  ["f0", "simple(16)"],
  ["f8ff", "simple(255)"],
  ["c074323031332d30332d32315432303a30343a30305a", "date text"],
  ["c11a514b67b0", "epoch date"],
  ["c1fb41d452d9ec200000", "epoch date with a fraction"],
  ["d74401020304", "expected base16"],
  ["d818456449455446", "encoded CBOR"],
  ["d82076687474703a2f2f7777772e6578616d706c652e636f6d", "URI"],
  ["a201020304", "integer keys"],
  ["5f42010243030405ff", "indefinite byte string"],
  ["7f657374726561646d696e67ff", "indefinite text string"],
  ["9fff", "indefinite array"],
  ["9f018202039f0405ffff", "nested indefinite arrays"],
  ["83018202039f0405ff", "indefinite array inside, last"],
  ["83019f0203ff820405", "indefinite array inside, second"],
  ["9f01820203820405ff", "indefinite array of definite ones"],
  ["9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", "indefinite array of 25"],
  ["bf61610161629f0203ffff", "indefinite array in an indefinite map"],
  // Not well-formed, RFC 8949, Appendix F.
  ["1c", "reserved additional information 28"],
  ["1d", "reserved additional information 29"],
  ["1e", "reserved additional information 30"],
  ["1f", "indefinite integer"],
  ["3f", "indefinite negative integer"],
  ["df00", "indefinite tag"],
  ["ff", "break alone"],
  ["81ff", "break in a definite array"],
  ["a1ff", "break as a key of a definite map"],
  ["a16161ff", "break as a value"],
  ["bf6161ff", "break as a value of an indefinite map"],
  ["bf", "unterminated indefinite map"],
  ["fc", "reserved simple value"],
  ["f818", "two-byte simple value below 32"],
  ["", "nothing"],
  ["9bffffffffffffffff", "array of 2^64 - 1 elements"],
  ["bbffffffffffffffff", "map of 2^64 - 1 entries"],
  ["5bffffffffffffffff", "byte string of 2^64 - 1 bytes"],
  ["7b7fffffffffffffff", "text string of 2^63 - 1 bytes"],
  // Well-formed, but not as we write it.
  ["1817", "23 in two bytes"],
  ["190017", "23 in three bytes"],
  ["1900ff", "255 in three bytes"],
  ["1a0000ffff", "65535 in five bytes"],
  ["1b00000000ffffffff", "2^32 - 1 in nine bytes"],
  ["3817", "-24 in two bytes"],
  ["580101", "size 1 in two bytes"],
  ["780161", "text size 1 in two bytes"],
  ["980101", "count 1 in two bytes"],
  ["b801616101", "one entry in two bytes"],
  ["a1780161 01", "long size of a key"],
  ["1b001fffffffffffff", "2^53 - 1"],
  ["3b001fffffffffffff", "-2^53"],
  ["a2616101616102", "the same key twice"],
  ["bf616101616102ff", "the same key twice, indefinite"],
  ["bf616101 7f6162ff 02ff", "indefinite key"],
  // Not UTF-8 (RFC 3629).
  ["61ff", "byte FF"],
  ["62c080", "overlong NUL"],
  ["63eda080", "surrogate"],
  ["64f4908080", "beyond U+10FFFF"],
  ["62c328", "bad continuation"],
  ["61c3", "cut sequence"],
  ["a161ff01", "key"],
  ["63efbbbf", "byte-order mark"],
];

const plain: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER - 1 }),
    fc.integer({ min: -300, max: 70_000 }),
    fc.constantFrom(2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, -(2 ** 31)),
    fc.string({ unit: "grapheme", maxLength: 80 }).filter((s) => !s.startsWith("\ufeff")),
    fc.uint8Array({ maxLength: 300 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 30 }),
    fc.array(fc.tuple(fc.string(), tie("value")), { maxLength: 30 }).map((entries) => new Map(entries)),
  ),
})).value;

describe("CBOR items of the plain subset (RFC 8949)", () => {
  for (const [encoded, value] of ACCEPTED) {
    it(`Appendix A: ${encoded} both ways`, () => {
      assert.deepEqual(decodeItem(hex(encoded)), value);
      assert.equal(toHex(encodeItem(value)), encoded);
      assertStrict(encoded, decodeItem, hex(encoded));
    });
  }

  for (const [encoded, value] of INDEFINITE) {
    it(`Appendix A: ${encoded} decoded`, () => {
      assert.deepEqual(decodeItem(hex(encoded)), value);
      assert.deepEqual(decodeItem(encodeItem(value)), value);
      assertStrict(encoded, decodeItem, hex(encoded));
    });
  }

  for (const [encoded, why] of REFUSED) {
    it(`refuses ${encoded || "(empty)"}: ${why}`, () => {
      assert.throws(() => decodeItem(hex(encoded)), CodecError);
    });
  }

  it("tells path and offset of what it refuses", () => {
    assert.throws(
      () => decodeItem(hex("a1 6162 82 a0 a1 6163 f7")),
      (error: unknown) => error instanceof CodecError && error.path === "b[1].c" && error.offset === 8,
    );
  });

  it("nests 16 deep and no deeper", () => {
    const nested = (depth: number) => Uint8Array.from({ length: depth + 1 }, (_, i) => (i < depth ? 0x81 : 0));
    decodeItem(nested(16));
    assert.throws(() => decodeItem(nested(17)), /nested too deeply/);
    assert.throws(() => decodeItem(new Uint8Array(65_536).fill(0x81)), /nested too deeply/);
    assert.throws(() => decodeItem(new Uint8Array(65_536).fill(0xbf)), CodecError);
  });

  it("takes 64 KiB and no byte more, or what the caller bounds", () => {
    const ofSize = (size: number) => concat(hex("59"), Uint8Array.of((size - 3) >> 8, (size - 3) & 0xff), new Uint8Array(size - 3)); // biome-ignore format: one thought
    decodeItem(ofSize(65_536));
    assert.throws(() => decodeItem(concat(ofSize(65_536), Uint8Array.of(0))), /at most 65536/);
    assert.throws(() => decodeItem(ofSize(2_000), { maxBytes: 1_999, maxDepth: 1 }), /at most 1999/);
    assert.throws(() => encodeItem(new Uint8Array(65_536)), RangeError);
  });

  it("keeps keys that are names of JavaScript's own", () => {
    const value = new Map([["__proto__", 1], ["constructor", 2], ["", 3]]); // biome-ignore format: one thought
    assert.deepEqual(decodeItem(encodeItem(value)), value);
  });

  it("hands out byte strings that do not change with the input", () => {
    const input = hex("420102");
    const value = decodeItem(input);
    input.fill(0);
    assert.deepEqual(value, Uint8Array.of(1, 2));
    assert.ok(value instanceof Uint8Array && value.constructor === Uint8Array);
  });

  it("encodes nothing that it would not decode", () => {
    const bad: readonly unknown[] = [
      1.5,
      Number.NaN,
      2 ** 53,
      "\ud800",
      "\ufeffa",
      undefined,
      1n,
      new Date(0),
      { a: 1 },
    ];
    for (const value of bad) {
      assert.throws(() => encodeItem(value as CborValue), RangeError, String(value));
      assert.throws(() => encodeItem([value as CborValue]), RangeError, `[${String(value)}]`);
    }
    assert.equal(toHex(encodeItem(-0)), "00");
  });

  it("decodes what it encoded", () => {
    fc.assert(fc.property(plain, (value) => assert.deepEqual(decodeItem(encodeItem(value)), value)));
  });

  it("writes what it accepted to the same bytes, unless a map was indefinite", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const bytes = encodeItem(value);
        assert.deepEqual(encodeItem(decodeItem(bytes)), bytes);
      }),
    );
  });

  for (const name of CBOR_VECTORS) {
    it(`vector ${name}: accepted, its prefixes and a trailing byte refused`, () => {
      assertStrict(name, decodeItem, vector(name));
      if (name !== "07_quote.req.bin") assert.deepEqual(encodeItem(decodeItem(vector(name))), vector(name));
    });
  }

  it("answers random and mutated bytes with CodecError only", () => {
    fuzzDecoder("cbor item", decodeItem, [
      ...CBOR_VECTORS.map(vector).filter((v) => v.byteLength < 1000),
      ...[...ACCEPTED, ...INDEFINITE].map(([encoded]) => hex(encoded)),
    ]);
  });
});
