import assert from "node:assert/strict";
import fc from "fast-check";
import { CodecError, fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  ContentFormat,
  codeOf,
  codeText,
  decodeMessage,
  emptyMessage,
  encodeMessage,
  MessageType,
  methodCode,
  methodOf,
  OptionNumber,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { fuzzDecoder } from "../../support/fuzz.ts";

const NONE = new Uint8Array(0);
const PLAIN = { noNullPrototype: true } as const;

function bytes(hex: string): Uint8Array {
  const value = fromHex(hex.replaceAll(" ", ""));
  assert.ok(value);
  return value;
}

function message(type: MessageType, code: number, messageId: number, rest: Partial<CoapMessage> = {}): CoapMessage {
  return { type, code, messageId, coapToken: NONE, options: [], payload: NONE, ...rest };
}

const temperature = textOption(OptionNumber.UriPath, "temperature");

/** The examples of RFC 7252, appendix A, and RFC 7959, section 3, as far as they are given in bytes or fields. */
const VECTORS: readonly (readonly [string, string, CoapMessage])[] = [
  [
    "figure 16: confirmable request, no token",
    "40 01 7d34 bb 74656d7065726174757265",
    message(MessageType.Con, Code.Get, 0x7d34, { options: [temperature] }),
  ],
  [
    "figure 16: piggybacked response",
    "60 45 7d34 ff 32322e332043",
    message(MessageType.Ack, Code.Content, 0x7d34, { payload: utf8("22.3 C") }),
  ],
  [
    "figure 17: confirmable request with a token",
    "41 01 7d35 20 bb 74656d7065726174757265",
    message(MessageType.Con, Code.Get, 0x7d35, { coapToken: bytes("20"), options: [temperature] }),
  ],
  [
    "figure 17: piggybacked response with a token",
    "61 45 7d35 20 ff 32322e332043",
    message(MessageType.Ack, Code.Content, 0x7d35, { coapToken: bytes("20"), payload: utf8("22.3 C") }),
  ],
  ["figure 20: empty ACK before a separate response", "60 00 7d38", emptyMessage(MessageType.Ack, 0x7d38)],
  [
    "figure 20: separate response",
    "41 45 ad7b 53 ff 32322e332043",
    message(MessageType.Con, Code.Content, 0xad7b, { coapToken: bytes("53"), payload: utf8("22.3 C") }),
  ],
  [
    "figure 22: non-confirmable",
    "51 01 7d40 75 bb 74656d7065726174757265",
    message(MessageType.Non, Code.Get, 0x7d40, { coapToken: bytes("75"), options: [temperature] }),
  ],
  ["RST", "70 00 7d40", emptyMessage(MessageType.Rst, 0x7d40)],
  [
    "RFC 7959, figure 2: block 0 of 128, more to come",
    "60 45 04d2 d1 0a 0b ff 00",
    message(MessageType.Ack, Code.Content, 1234, {
      options: [uintOption(OptionNumber.Block2, 0x0b)],
      payload: bytes("00"),
    }),
  ],
  [
    "extended deltas and lengths: Uri-Path of 13 bytes, Block1, Size1, Request-Tag",
    "40 05 0001 bd 00 61616161616161616161616161 d1 03 0e d1 14 40 d1 db 01",
    message(MessageType.Con, Code.Fetch, 1, {
      options: [
        textOption(OptionNumber.UriPath, "a".repeat(13)),
        uintOption(OptionNumber.Block1, 0x0e),
        uintOption(OptionNumber.Size1, 0x40),
        { number: OptionNumber.RequestTag, value: bytes("01") },
      ],
    }),
  ],
];

const MALFORMED: readonly (readonly [string, string, string])[] = [
  ["nothing", "", "message"],
  ["a header cut short", "40 01 7d", "message"],
  ["version 0", "00 01 7d34", "message"],
  ["version 2", "80 01 7d34", "message"],
  ["version 3", "c0 01 7d34", "message"],
  ["token length 9", "49 01 7d34 000102030405060708", "message"],
  ["token length 15", "4f 01 7d34 000102030405060708090a0b0c0d0e", "message"],
  ["a token cut short", "44 01 7d34 000102", "message"],
  ["code class 1", "40 21 7d34", "message"],
  ["code class 6", "40 c5 7d34", "message"],
  ["code class 7", "40 e1 7d34", "message"],
  ["an Empty message with a token", "41 00 7d34 20", "message"],
  ["an Empty message with an option", "40 00 7d34 b0", "message"],
  ["an Empty message with a marker", "60 00 7d34 ff", "message"],
  ["an Empty message with a payload", "60 00 7d34 ff 00", "message"],
  ["option delta 15", "40 01 7d34 f0", "message.options[0]"],
  ["option length 15", "40 01 7d34 bf", "message.options[0]"],
  ["the second option's length 15", "40 01 7d34 b1 61 0f", "message.options[1]"],
  ["an 8-bit delta missing", "40 01 7d34 d0", "message.options[0]"],
  ["a 16-bit delta cut short", "40 01 7d34 e0 00", "message.options[0]"],
  ["an 8-bit length missing", "40 01 7d34 bd", "message.options[0]"],
  ["a value cut short", "40 01 7d34 b3 6162", "message.options[0]"],
  ["option number over 65535", "40 01 7d34 e0 ffff", "message.options[0]"],
  ["option numbers adding up over 65535", "40 01 7d34 e0 fef2 10", "message.options[1]"],
  ["a payload marker with nothing behind", "40 01 7d34 ff", "message"],
  ["a payload marker with nothing behind an option", "40 01 7d34 b1 61 ff", "message"],
];

describe("CoAP message (RFC 7252, section 3)", () => {
  for (const [name, hex, value] of VECTORS) {
    it(`decodes and encodes ${name}`, () => {
      assert.deepEqual(decodeMessage(bytes(hex)), value);
      assert.equal(toHex(encodeMessage(value)), hex.replaceAll(" ", ""));
    });
  }

  for (const [name, hex, path] of MALFORMED) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => decodeMessage(bytes(hex)),
        (error) => error instanceof CodecError && error.path === path,
      );
    });
  }

  it("decodes a message cut anywhere to something else or not at all", () => {
    for (const [name, hex, value] of VECTORS) {
      const whole = bytes(hex);
      for (let size = 0; size < whole.byteLength; size++) {
        try {
          assert.notDeepEqual(decodeMessage(whole.slice(0, size)), value, `${name} cut to ${size}`);
        } catch (error) {
          if (!(error instanceof CodecError)) throw error;
        }
      }
    }
  });

  it("encodes options in ascending order and keeps the order of one number", () => {
    const options = [
      uintOption(OptionNumber.Accept, ContentFormat.Cbor),
      textOption(OptionNumber.UriPath, "b"),
      uintOption(OptionNumber.ContentFormat, ContentFormat.OctetStream),
      textOption(OptionNumber.UriPath, "a"),
    ];
    const decoded = decodeMessage(encodeMessage(message(MessageType.Con, Code.Put, 7, { options })));
    assert.deepEqual(
      decoded.options.map(({ number, value }) => [number, toHex(value)]),
      [
        [11, "62"],
        [11, "61"],
        [12, "2a"],
        [17, "3c"],
      ],
    );
  });

  it("cannot be made to encode what does not exist", () => {
    assert.throws(
      () => encodeMessage(message(MessageType.Con, Code.Get, 1, { coapToken: new Uint8Array(9) })),
      RangeError,
    );
    assert.throws(() => encodeMessage(message(MessageType.Con, Code.Get, 0x1_0000)), RangeError);
  });

  it("gives back what was put in", () => {
    const option = fc.record(
      {
        number: fc.integer({ min: 1, max: 0xffff }),
        value: fc.uint8Array({ maxLength: 300 }),
      },
      PLAIN,
    );
    const any = fc.record(
      {
        type: fc.constantFrom(MessageType.Con, MessageType.Non, MessageType.Ack, MessageType.Rst),
        code: fc.constantFrom(...Object.values(Code).filter((code) => code !== Code.Empty)),
        messageId: fc.integer({ min: 0, max: 0xffff }),
        coapToken: fc.uint8Array({ maxLength: 8 }),
        options: fc.array(option, { maxLength: 6 }).map((list) => list.toSorted((a, b) => a.number - b.number)),
        payload: fc.uint8Array({ maxLength: 64 }),
      },
      PLAIN,
    );
    fc.assert(
      fc.property(any, (value) => {
        assert.deepEqual(decodeMessage(encodeMessage(value)), value);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("survives random and mutated datagrams", () => {
    fuzzDecoder(
      "coap message",
      decodeMessage,
      VECTORS.map(([, hex]) => bytes(hex)),
    );
  });
});

describe("CoAP codes", () => {
  it("are written class dot detail", () => {
    assert.equal(codeText(Code.Content), "2.05");
    assert.equal(codeText(Code.Continue), "2.31");
    assert.equal(codeText(Code.RequestEntityIncomplete), "4.08");
    assert.equal(codeText(Code.InternalServerError), "5.00");
    for (const code of Object.values(Code)) assert.equal(codeOf(codeText(code)), code);
    assert.equal(codeOf("2.32"), undefined);
    assert.equal(codeOf("8.00"), undefined);
    assert.equal(codeOf("2.5"), undefined);
  });

  it("name the methods of RFC 7252 and RFC 8132", () => {
    for (const [code, method] of [
      [1, "GET"],
      [2, "POST"],
      [3, "PUT"],
      [4, "DELETE"],
      [5, "FETCH"],
      [6, "PATCH"],
      [7, "iPATCH"],
    ] as const) {
      assert.equal(methodOf(code), method);
      assert.equal(methodCode(method), code);
    }
    assert.equal(methodOf(8), undefined);
    assert.equal(methodOf(0), undefined);
  });
});
