import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { CodecError, fromHex, toHex } from "../../../shared/bytes/index.ts";
import { cbor, decodeCbor, encodeCbor, encodeItem, type InferCbor } from "../../../shared/cbor/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

const vector = (name: string) => new Uint8Array(readFileSync(new URL(`../../vectors/v0/${name}`, import.meta.url)));

const Selection = cbor.map({ algo_id: cbor.uint(0xffff), pcrs: cbor.uint(0xffff_ffff) });
const QuoteRequest = cbor.map(
  { nonce: cbor.bytes({ size: 32 }), banks: cbor.array(Selection, 16, 1) },
  { indefinite: true },
);
const Named = cbor.map({ name: cbor.text({ min: 1, max: 8 }), note: cbor.optional(cbor.text()) });

/** Path and offset of the CodecError that decoding `input` throws. */
function refusal(schema: Parameters<typeof decodeCbor>[0], input: Uint8Array): string {
  try {
    decodeCbor(schema, input, "Message");
  } catch (error) {
    assert.ok(error instanceof CodecError, String(error));
    return `${error.path} @${error.offset}: ${error.problem}`;
  }
  return assert.fail("accepted");
}

describe("CBOR schemas", () => {
  it("reads the quote request of the reference token and writes it byte for byte", () => {
    const bytes = vector("07_quote.req.bin");
    const request: InferCbor<typeof QuoteRequest> = decodeCbor(QuoteRequest, bytes);
    assert.deepEqual(request.banks, [{ algo_id: 11, pcrs: 0x0006_00ff }]);
    assert.equal(request.nonce.byteLength, 32);
    assert.deepEqual(encodeCbor(QuoteRequest, request), bytes);
    assertStrict("quote request", (input) => decodeCbor(QuoteRequest, input), bytes);
  });

  it("names the entry that is wrong and where it lies", () => {
    const item = (entries: Iterable<readonly [string, Parameters<typeof encodeItem>[0]]>) =>
      encodeItem(new Map(entries));
    const nonce = new Uint8Array(32);
    assert.equal(refusal(QuoteRequest, item([["nonce", nonce]])), "Message.banks @0: missing");
    assert.equal(
      refusal(QuoteRequest, item([["nonce", nonce.subarray(1)], ["banks", []]])), // biome-ignore format: one thought
      "Message.nonce @7: size 31 is not within 32..32",
    );
    assert.equal(
      refusal(QuoteRequest, item([["nonce", nonce], ["banks", []]])), // biome-ignore format: one thought
      "Message.banks @47: count 0 is not within 1..16",
    );
    const bank = new Map<string, Parameters<typeof encodeItem>[0]>([["pcrs", 1], ["algo_id", "x"]]); // biome-ignore format: one thought
    assert.equal(
      refusal(QuoteRequest, item([["banks", [bank]], ["nonce", nonce]])), // biome-ignore format: one thought
      "Message.banks[0].algo_id @23: a text string where an unsigned integer belongs",
    );
    assert.equal(refusal(Named, item([["name", "a"], ["nome", "b"]])), "Message.nome @13: unknown key"); // biome-ignore format: one thought
    assert.equal(refusal(Named, item([["name", null]])), "Message.name @6: null where a text string belongs");
    assert.equal(refusal(Named, item([["name", new Map()]])), "Message.name @6: a map where a text string belongs");
    assert.equal(refusal(Named, encodeItem([])), "Message @0: an array where a map belongs");
    assert.equal(refusal(cbor.uint(9), encodeItem(-1)), "Message @0: value -1 is not within 0..9");
    assert.equal(
      refusal(cbor.array(cbor.uint(9), 2), encodeItem(true)),
      "Message @0: a boolean where an array belongs",
    );
  });

  it("counts the size of a text in UTF-8 bytes", () => {
    assert.deepEqual(decodeCbor(Named, encodeItem(new Map([["name", "éééé"]]))), { name: "éééé" });
    assert.throws(() => decodeCbor(Named, encodeItem(new Map([["name", "ééééé"]]))), CodecError);
    assert.throws(() => decodeCbor(Named, encodeItem(new Map([["name", ""]]))), CodecError);
  });

  it("leaves out and omits optional entries, and ignores unknown ones only where told", () => {
    assert.deepEqual(decodeCbor(Named, encodeCbor(Named, { name: "a" })), { name: "a" });
    assert.deepEqual(decodeCbor(Named, encodeCbor(Named, { name: "a", note: "b" })), { name: "a", note: "b" });
    const Lenient = cbor.map({ a: cbor.uint(9) }, { unknownKeys: "ignore" });
    assert.deepEqual(decodeCbor(Lenient, encodeItem(new Map([["z", 1], ["a", 2]]))), { a: 2 }); // biome-ignore format: one thought
  });

  it("is not fooled by keys of Object.prototype", () => {
    assert.throws(() => decodeCbor(Named, encodeItem(new Map([["name", "a"], ["toString", "b"]]))), /unknown key/); // biome-ignore format: one thought
  });

  it("refuses to write what it would refuse to read", () => {
    assert.throws(() => encodeCbor(Named, { name: "too long a name" }), RangeError);
    assert.throws(() => encodeCbor(cbor.uint(9), 10), RangeError);
    assert.throws(() => encodeCbor(cbor.uint(9), 0.5), RangeError);
    assert.throws(() => encodeCbor(cbor.bytes({ max: 1 }), new Uint8Array(2)), RangeError);
    assert.throws(() => encodeCbor(cbor.array(cbor.uint(9), 1), [1, 2]), RangeError);
    assert.throws(() => encodeCbor(cbor.array(QuoteRequest, 1), [{ nonce: new Uint8Array(32), banks: [{ algo_id: 1, pcrs: 1 }] }]), /indefinite map within/); // biome-ignore format: one thought
  });

  it("writes entries in the order of the schema", () => {
    assert.equal(
      toHex(encodeCbor(Selection, { pcrs: 2, algo_id: 1 })),
      "a267616c676f5f69640164706372730 2".replace(" ", ""),
    );
  });

  it("decodes what it encoded", () => {
    const bank = fc.record({ algo_id: fc.nat(0xffff), pcrs: fc.nat(0xffff_ffff) });
    const request = fc.record({
      nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      banks: fc.array(bank, { minLength: 1, maxLength: 16 }),
    });
    fc.assert(
      fc.property(request, (value) => {
        // fast-check makes records without a prototype.
        const plain = { nonce: value.nonce, banks: value.banks.map((b) => ({ ...b })) };
        assert.deepEqual(decodeCbor(QuoteRequest, encodeCbor(QuoteRequest, value)), plain);
      }),
    );
  });

  it("answers random and mutated bytes with CodecError only", () => {
    fuzzDecoder("quote request", (input) => decodeCbor(QuoteRequest, input), [vector("07_quote.req.bin")]);
    fuzzDecoder("named", (input) => decodeCbor(Named, input), [fromHex("a1646e616d656161") ?? new Uint8Array()]);
  });
});
