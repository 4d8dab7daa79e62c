import assert from "node:assert/strict";
import { fromHex, toHex } from "../../../shared/bytes/index.ts";
import { blockOption, blockStart, readBlock, sliceBlock } from "../../../shared/coap/block-option.ts";
import {
  type CoapOption,
  isCritical,
  isNoCacheKey,
  isUnsafe,
  OptionNumber,
  optionName,
  optionTexts,
  optionUint,
  refusedOption,
  textOption,
  uintBytes,
  uintOption,
  uintValue,
} from "../../../shared/coap/index.ts";

const opaque = (number: number, hex: string): CoapOption => ({ number, value: fromHex(hex) ?? new Uint8Array(0) });
const ALL: ReadonlySet<number> = new Set(Object.values(OptionNumber));

describe("CoAP options (RFC 7252, sections 3.2, 5.4, 5.10)", () => {
  it("write integers in their shortest form", () => {
    for (const [value, hex] of [
      [0, ""],
      [1, "01"],
      [60, "3c"],
      [255, "ff"],
      [256, "0100"],
      [65_535, "ffff"],
      [0x01_00_00_00, "01000000"],
      [0xffff_ffff, "ffffffff"],
    ] as const) {
      assert.equal(toHex(uintBytes(value)), hex);
      assert.equal(uintValue(uintBytes(value)), value);
    }
    assert.throws(() => uintBytes(-1), RangeError);
    assert.throws(() => uintBytes(2 ** 32), RangeError);
    assert.throws(() => uintBytes(1.5), RangeError);
  });

  it("bear leading zeros in integers: peers send every Content-Format in four bytes", () => {
    assert.equal(optionUint([opaque(OptionNumber.ContentFormat, "0000003c")], OptionNumber.ContentFormat), 60);
    assert.equal(refusedOption([opaque(OptionNumber.Accept, "0000003c")], ALL), undefined);
    assert.equal(uintValue(fromHex("0100000000") ?? new Uint8Array(0)), undefined);
  });

  it("ignore an elective option that is too long", () => {
    assert.equal(optionUint([opaque(OptionNumber.ContentFormat, "01003c")], OptionNumber.ContentFormat), undefined);
    assert.equal(refusedOption([opaque(OptionNumber.ContentFormat, "01003c")], ALL), undefined);
  });

  it("know critical, unsafe and no-cache-key by number (table 4)", () => {
    const kinds = (number: number) =>
      `${isCritical(number) ? "C" : "-"}${isUnsafe(number) ? "U" : "-"}${isNoCacheKey(number) ? "N" : "-"}`;
    assert.equal(kinds(OptionNumber.IfMatch), "C--");
    assert.equal(kinds(OptionNumber.UriHost), "CU-");
    assert.equal(kinds(OptionNumber.ETag), "---");
    assert.equal(kinds(OptionNumber.UriPath), "CU-");
    assert.equal(kinds(OptionNumber.MaxAge), "-U-");
    assert.equal(kinds(OptionNumber.Accept), "C--");
    assert.equal(kinds(OptionNumber.ProxyScheme), "CU-");
    assert.equal(kinds(OptionNumber.Size1), "--N");
    assert.equal(kinds(OptionNumber.Size2), "--N");
    assert.equal(kinds(OptionNumber.Block2), "CU-");
  });

  it("refuse unknown, malformed and repeated critical ones, and name them", () => {
    const refused = (...options: CoapOption[]) => refusedOption(options, ALL)?.number;
    assert.equal(refused(opaque(9, "")), 9);
    assert.equal(refused(opaque(10, "")), undefined);
    assert.equal(refused(opaque(65_001, "00")), 65_001);
    assert.equal(
      refused(uintOption(OptionNumber.Accept, 60), uintOption(OptionNumber.Accept, 60)),
      OptionNumber.Accept,
    );
    assert.equal(refused(textOption(OptionNumber.UriPath, "a"), textOption(OptionNumber.UriPath, "a")), undefined);
    assert.equal(refused(opaque(OptionNumber.IfNoneMatch, "00")), OptionNumber.IfNoneMatch);
    assert.equal(refused(opaque(OptionNumber.UriHost, "")), OptionNumber.UriHost);
    assert.equal(refused(opaque(OptionNumber.IfMatch, "000102030405060708")), OptionNumber.IfMatch);
    assert.equal(refused(opaque(OptionNumber.Block2, "01000000")), OptionNumber.Block2);
    assert.equal(refused(opaque(OptionNumber.UriPath, "ff")), OptionNumber.UriPath);
    assert.equal(refused(textOption(OptionNumber.UriPath, "a".repeat(256))), OptionNumber.UriPath);
    assert.equal(refusedOption([opaque(OptionNumber.IfMatch, "")], new Set())?.number, OptionNumber.IfMatch);
    assert.equal(optionName(OptionNumber.IfMatch), "If-Match (1)");
    assert.equal(optionName(9), "9");
  });

  it("read texts as UTF-8", () => {
    const options = [
      textOption(OptionNumber.UriPath, "über"),
      textOption(OptionNumber.UriPath, ""),
      textOption(OptionNumber.UriPath, "a/b"),
    ];
    assert.deepEqual(optionTexts(options, OptionNumber.UriPath), ["über", "", "a/b"]);
  });
});

describe("Block options (RFC 7959, section 2.2)", () => {
  it("pack number, more and size", () => {
    const number = OptionNumber.Block1;
    for (const [hex, block] of [
      ["", { number: 0, more: false, exponent: 0 }],
      ["0e", { number: 0, more: true, exponent: 6 }],
      ["33", { number: 3, more: false, exponent: 3 }],
      ["08", { number: 0, more: true, exponent: 0 }],
      ["fffffe", { number: 0xf_ffff, more: true, exponent: 6 }],
    ] as const) {
      assert.equal(toHex(blockOption(number, block).value), hex);
      assert.deepEqual(readBlock([opaque(number, hex)], number), block);
    }
    assert.equal(readBlock([], number), undefined);
    assert.equal(readBlock([opaque(number, "07")], number), "malformed");
    assert.equal(readBlock([opaque(number, "0100000e")], number), "malformed");
    assert.throws(() => blockOption(number, { number: 0x10_0000, more: false, exponent: 0 }), RangeError);
  });

  it("cut a body", () => {
    const body = Uint8Array.from({ length: 40 }, (_, i) => i);
    assert.deepEqual(sliceBlock(body, 0, 0).block, { number: 0, more: true, exponent: 0 });
    assert.deepEqual(sliceBlock(body, 32, 0), {
      block: { number: 2, more: false, exponent: 0 },
      payload: body.slice(32),
    });
    assert.deepEqual(sliceBlock(body.slice(0, 32), 16, 0).block, { number: 1, more: false, exponent: 0 });
    assert.equal(blockStart({ number: 3, more: false, exponent: 3 }), 384);
  });
});
