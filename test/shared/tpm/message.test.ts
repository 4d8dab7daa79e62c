import assert from "node:assert/strict";
import fc from "fast-check";
import { type Codec, CodecError, decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import {
  commandByCode,
  commands,
  decodeCommand,
  decodeResponse,
  decodeResponseCode,
  encodeCommand,
  encodeResponse,
  TpmRh,
} from "../../../shared/tpm/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

const hex = (text: string) => fromHex(text.replaceAll(/\s/g, "")) ?? assert.fail("no hexadecimal");
const handleCount = (code: number) => commandByCode(code)?.handles.length;

describe("TPM commands and responses", () => {
  it("TPM2_Startup(CLEAR) is the twelve bytes of Part 1, 18", () => {
    const parameters = encode(commands.Startup.parameters, { startupType: 0 });
    const bytes = encodeCommand({ commandCode: commands.Startup.code, handles: [], sessions: [], parameters });
    assert.equal(toHex(bytes), "8001" + "0000000c" + "00000144" + "0000");
    assert.deepEqual(decodeCommand(bytes, handleCount).parameters, parameters);
  });

  it("a password authorization stands between handles and parameters", () => {
    const none = new Uint8Array(0);
    const bytes = encodeCommand({
      commandCode: commands.PCR_Reset.code,
      handles: [16],
      sessions: [{ sessionHandle: TpmRh.PW, nonce: none, sessionAttributes: 0, hmac: none }],
      parameters: none,
    });
    assert.equal(toHex(bytes), "80020000001b0000013d" + "00000010" + "00000009" + "40000009" + "0000" + "00" + "0000");
    assert.equal(decodeCommand(bytes, handleCount).sessions[0]?.sessionHandle, TpmRh.PW);
    const empty = hex("8002 00000012 0000013d 00000010 00000000");
    assert.throws(() => decodeCommand(empty, handleCount), /promises an authorization/);
  });

  it("what was encoded is decoded", () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const plain = { noNullPrototype: true };
    const session = fc.record(
      { sessionHandle: u32, nonce: bytes(64), sessionAttributes: fc.constantFrom(0, 1, 0x61), hmac: bytes(64) },
      plain,
    );
    const command = fc.record(
      {
        commandCode: fc.constantFrom(...Object.values(commands).map(({ code }) => code)),
        sessions: fc.array(session, { maxLength: 3 }),
        parameters: bytes(100),
      },
      plain,
    );
    fc.assert(
      fc.property(command, fc.array(u32, { minLength: 3, maxLength: 3 }), (partial, handles) => {
        const value = { ...partial, handles: handles.slice(0, handleCount(partial.commandCode)) };
        assert.deepEqual(decodeCommand(encodeCommand(value), handleCount), value);
      }),
    );
  });

  it("responses come back with handle, parameters and sessions", () => {
    const session = { nonce: new Uint8Array(16), sessionAttributes: 1, hmac: new Uint8Array(0) };
    for (const sessions of [[], [session]]) {
      for (const handles of [[], [0x80000000]]) {
        const response = { responseCode: 0, handles, parameters: Uint8Array.of(1, 2, 3), sessions };
        const bytes = encodeResponse(response, sessions.length > 0);
        assert.deepEqual(decodeResponse(bytes, handles.length), response);
        assert.equal(decodeResponseCode(bytes), 0);
        for (let size = 0; size < bytes.byteLength; size++) {
          assert.throws(() => decodeResponse(bytes.slice(0, size), handles.length), CodecError);
        }
      }
    }
  });

  it("a refusal is a header and nothing else", () => {
    assert.equal(decodeResponse(hex("8001 0000000a 00000922"), 1).responseCode, 0x922);
    assert.equal(decodeResponse(hex("00c4 0000000a 0000001e"), 0).responseCode, 0x1e);
    assert.throws(() => decodeResponse(hex("8001 0000000b 00000922 00"), 1), CodecError);
    assert.throws(() => decodeResponse(hex("8001 0000000b 00000922"), 1), CodecError);
    assert.throws(() => decodeResponse(hex("8002 0000000a 00000922"), 1), CodecError, "with the tag of sessions");
    assert.throws(() => decodeResponse(hex("00c4 0000000a 00000000"), 0), CodecError, "a success with a refusal's tag");
    for (const contradiction of ["00c4 0000000a 00000002", "8001 0000000a 0000001e"]) {
      assert.throws(
        () => decodeResponse(hex(contradiction), 0),
        /contradict/,
        "what a TPM 1.2 answers, and its reverse",
      );
      assert.throws(() => decodeResponseCode(hex(contradiction)), /contradict/);
    }
    const badTag = { responseCode: 0x1e, handles: [], parameters: new Uint8Array(0), sessions: [] };
    assert.deepEqual(encodeResponse(badTag, false), hex("00c4 0000000a 0000001e"));
  });

  it("any input is a command or a response, or refused", () => {
    const command = hex("80020000001b0000013d00000010000000094000000900000000 00");
    fuzzDecoder("command", (input) => decodeCommand(input, handleCount), [command]);
    const response = hex("80020000001300000000 00000000 0000010000");
    fuzzDecoder("response", (input) => decodeResponse(input, 0), [response]);
    assertStrict("command", (input) => decodeCommand(input, handleCount), command);
  });

  it("every command's parameters and response refuse what is not theirs", () => {
    // The first byte chooses the command, so that all of them share the inputs.
    const specs = Object.values(commands);
    const chosen = (input: Uint8Array) => specs[(input[0] ?? 0) % specs.length] ?? commands.Startup;
    fuzzDecoder("parameters", (input) => void decode(chosen(input).parameters as Codec<unknown>, input.subarray(1)));
    fuzzDecoder("responses", (input) => void decode(chosen(input).response as Codec<unknown>, input.subarray(1)));
  });

  it("every command is declared under its code, once", () => {
    for (const [name, spec] of Object.entries(commands)) {
      assert.equal(spec.name, name);
      assert.equal(commandByCode(spec.code)?.name, name);
    }
    assert.equal(commandByCode(0x11a), undefined);
  });
});
