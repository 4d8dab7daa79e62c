import assert from "node:assert/strict";
import fc from "fast-check";
import * as b from "../../../shared/bytes/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

const Inner = b.struct("INNER", { kind: b.oneOf(b.u8, [1, 2]), data: b.sized(b.u16be, 8) });
const Choice = b.tagged("CHOICE", "type", b.u16be, {
  1: { small: b.u8 },
  2: { large: b.u64be, more: b.list(b.u8, Inner, 3) },
});
const Outer = b.struct("OUTER", {
  magic: b.constant(b.u32be, 0xff544347),
  bits: b.flags(b.u8, 0x0f),
  little: b.u32le,
  id: b.fixed(3),
  body: b.framed(b.u16be, Choice, 64),
});

const good: b.Infer<typeof Outer> = {
  magic: 0xff544347,
  bits: 5,
  little: 0x01020304,
  id: Uint8Array.of(7, 8, 9),
  body: { type: 2, large: 0x1122334455667788n, more: [{ kind: 1, data: Uint8Array.of(0xaa) }] },
};
const GOOD_HEX = "ff5443470504030201070809000f00021122334455667788010100" + "01aa";

describe("shared/bytes codec", () => {
  it("writes fields in order and reads them back", () => {
    assert.equal(b.toHex(b.encode(Outer, good)), GOOD_HEX);
    assert.deepEqual(b.decode(Outer, b.encode(Outer, good)), good);
  });

  it("refuses every prefix and a trailing byte", () => {
    assertStrict("OUTER", (bytes) => b.decode(Outer, bytes), b.encode(Outer, good));
  });

  it("names the field from the outside in, and the byte", () => {
    const bytes = b.encode(Outer, good);
    bytes[bytes.length - 4] = 9;
    assert.throws(
      () => b.decode(Outer, bytes),
      (error) => {
        assert.ok(error instanceof b.CodecError);
        assert.equal(error.path, "OUTER.body.CHOICE.more[0].INNER.kind");
        assert.equal(error.offset, bytes.length - 3);
        assert.match(error.message, /0x9 is not among the allowed values/);
        return true;
      },
    );
  });

  for (const [what, at, value] of [
    ["a wrong constant", 0, 0xfe],
    ["a reserved bit", 4, 0x10],
    ["an unknown selector", 15, 3],
    ["a count over the maximum", 24, 4],
    ["a frame longer than its content", 13, 0x10],
  ] as const) {
    it(`refuses ${what}`, () => {
      const bytes = b.encode(Outer, good);
      bytes[at] = value;
      assert.throws(() => b.decode(Outer, bytes), b.CodecError);
    });
  }

  it("refuses bytes over the maximum even when they are there", () => {
    assert.throws(() => b.decode(b.sized(b.u8, 2), Uint8Array.of(3, 1, 2, 3)), /size 3 is not within 0..2/);
    assert.throws(() => b.decode(b.sized(b.u8, 9, 2), Uint8Array.of(1, 1)), /size 1 is not within 2..9/);
  });

  it("does not write what cannot be read", () => {
    assert.throws(() => b.encode(b.u8, 256), RangeError);
    assert.throws(() => b.encode(b.u16be, 1.5), RangeError);
    assert.throws(() => b.encode(b.u64be, -1n), RangeError);
    assert.throws(() => b.encode(b.fixed(2), Uint8Array.of(1)), RangeError);
    assert.throws(() => b.encode(b.list(b.u8, b.u8, 1), [1, 2]), RangeError);
  });

  it("survives random and mutated input with CodecError only", () => {
    fuzzDecoder("OUTER", (bytes) => b.decode(Outer, bytes), [b.encode(Outer, good)]);
  });

  it("reads back whatever it writes", () => {
    const arbitrary = fc.record({
      a: fc.nat(0xffff),
      b: fc.bigInt(0n, 2n ** 64n - 1n),
      c: fc.uint8Array({ maxLength: 20 }),
    });
    const codec = b.struct("T", { a: b.u16le, b: b.u64le, c: b.sized(b.u32le, 20) });
    fc.assert(
      fc.property(arbitrary, (value) => {
        assert.deepEqual(b.decode(codec, b.encode(codec, value)), { ...value });
      }),
    );
  });
});

describe("shared/bytes writer", () => {
  it("writes into the room it got, and elsewhere when that is full", () => {
    const room = new Uint8Array(3);
    const w = new b.Writer(room).u8(1).u16be(0x0203);
    const full = w.finish();
    assert.equal(full, room);
    w.u32le(0x07060504).u64be(8n);
    assert.equal(b.toHex(w.finish()), "01020304050607" + "0000000000000008");
    assert.equal(b.toHex(full), "010203");
  });

  it("what was finished stays as it was", () => {
    for (const size of [0, 1, 63, 64, 65, 128]) {
      const w = new b.Writer().bytes(new Uint8Array(size));
      const finished = w.finish();
      w.u8(9);
      assert.deepEqual(finished, new Uint8Array(size));
      assert.equal(w.finish().byteLength, size + 1);
    }
  });

  it("throws on what does not fit", () => {
    const w = new b.Writer();
    for (const write of [
      () => w.u8(256),
      () => w.u16be(-1),
      () => w.u32le(2 ** 32),
      () => w.u16le(1.5),
      () => w.u64le(-1n),
    ])
      assert.throws(write, RangeError);
  });
});

describe("shared/bytes helpers", () => {
  it("hexadecimal goes both ways and refuses what is none", () => {
    assert.deepEqual(b.fromHex("00fFa0"), Uint8Array.of(0, 255, 160));
    assert.equal(b.toHex(Uint8Array.of(0, 255, 160)), "00ffa0");
    for (const bad of ["0", "0g", " 00", "0x00"]) assert.equal(b.fromHex(bad), undefined);
  });

  it("compares by content", () => {
    const compare = [b.equal, b.constantTimeEqual];
    for (const same of compare) {
      assert.equal(same(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true);
      assert.equal(same(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
      assert.equal(same(Uint8Array.of(1, 2), Uint8Array.of(1)), false);
      assert.equal(same(new Uint8Array(), new Uint8Array()), true);
    }
  });
});
