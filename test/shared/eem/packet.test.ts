import assert from "node:assert/strict";
import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { CodecError, concat, decode, encode, fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { crc32, EemPacket } from "../../../shared/eem/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ""));
  assert.ok(bytes);
  return bytes;
}

const read = (bytes: Uint8Array) => decode(EemPacket, bytes);
const frame = utf8("123456789");

describe("CRC-32", () => {
  it("gives the check value of the catalogues, cbf43926", () => {
    assert.equal(crc32(frame), 0xcbf4_3926);
    assert.equal(crc32(new Uint8Array(0)), 0);
  });

  it("agrees with zlib", () => {
    if (zlibCrc32 === undefined) return assert.equal(crc32(utf8("a")), 0xe8b7_be43);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.equal(crc32(bytes), zlibCrc32(bytes));
      }),
    );
  });
});

describe("EEM packet (CDC-EEM 1.0, 5.1)", () => {
  const vectors: readonly (readonly [string, string, EemPacket])[] = [
    ["data with CRC", "0d40 313233343536373839 2639f4cb", { kind: "data", crc: "real", frame }],
    ["data with the sentinel", "0d00 313233343536373839 deadbeef", { kind: "data", crc: "sentinel", frame }],
    ["an empty frame", "0400 deadbeef", { kind: "data", crc: "sentinel", frame: new Uint8Array(0) }],
    ["echo", "0380 616263", { kind: "echo", data: utf8("abc") }],
    ["echo response", "0388 616263", { kind: "echo-response", data: utf8("abc") }],
    ["suspend hint", "0090", { kind: "command", command: 2, parameter: 0 }],
    ["response hint", "0098", { kind: "command", command: 3, parameter: 0 }],
    ["response complete hint", "00a0", { kind: "command", command: 4, parameter: 0 }],
    ["tickle", "00a8", { kind: "command", command: 5, parameter: 0 }],
    ["a reserved command", "01b0", { kind: "command", command: 6, parameter: 1 }],
    ["the other reserved command", "ffbf", { kind: "command", command: 7, parameter: 0x7ff }],
    ["zero length", "0000", { kind: "zero-length" }],
  ];
  for (const [name, text, packet] of vectors) {
    it(`reads and writes ${name}, strictly`, () => {
      assert.deepEqual(read(hex(text)), packet);
      assert.equal(toHex(encode(EemPacket, packet)), toHex(hex(text)));
      assertStrict(name, read, hex(text));
    });
  }

  it("refuses lengths that no frame has, the reserved bit, and a length without room for the CRC", () => {
    for (const [text, path] of [
      ["0100 00", /EEM.length/],
      ["0340 000000", /EEM.length/],
      ["0040", /EEM.length/],
      ["f305", /EEM.length/],
      ["ff3f", /EEM.length/],
      ["00c0", /EEM.command/],
      ["00e8", /EEM.command/],
    ] as const) {
      assert.throws(() => read(hex(text)), path, text);
    }
  });

  it("finds every changed bit of a frame, its CRC and the sentinel", () => {
    for (const text of ["0d40 313233343536373839 2639f4cb", "0d00 313233343536373839 deadbeef"]) {
      const good = hex(text);
      const from = text.startsWith("0d40") ? 2 : good.byteLength - 4;
      for (let bit = from * 8; bit < good.byteLength * 8; bit++) {
        const bad = good.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
        assert.throws(() => read(bad), /EEM.crc: wrong CRC/);
      }
    }
    assert.throws(() => read(concat(hex("0d00"), frame, hex("2639f4cb"))), CodecError, "a real CRC without bmCRC");
    assert.throws(() => read(concat(hex("0d40"), frame, hex("deadbeef"))), CodecError, "the sentinel with bmCRC");
  });

  it("does not write what cannot be read", () => {
    assert.throws(() => encode(EemPacket, { kind: "data", crc: "real", frame: new Uint8Array(1_519) }), RangeError);
    assert.throws(() => encode(EemPacket, { kind: "echo", data: new Uint8Array(2_048) }), RangeError);
    for (const command of [0, 1, 8]) {
      assert.throws(() => encode(EemPacket, { kind: "command", command, parameter: 0 }), RangeError);
    }
  });

  it("gives back what it wrote, and survives anything", () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Uint8Array.from(array));
    const crc = fc.constantFrom("real" as const, "sentinel" as const);
    fc.assert(
      fc.property(crc, bytes(1_518), bytes(2_047), (how, content, data) => {
        const packets: EemPacket[] = [
          { kind: "data", crc: how, frame: content },
          { kind: "echo", data },
          { kind: "echo-response", data },
        ];
        for (const packet of packets) assert.deepEqual(read(encode(EemPacket, packet)), packet);
      }),
    );
    fuzzDecoder(
      "EEM",
      read,
      vectors.map(([, text]) => hex(text)),
    );
  });
});
