import assert from "node:assert/strict";
import { CodecError, decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import * as tpm from "../../../shared/tpm/index.ts";
import { assertStrict } from "../../support/fuzz.ts";
import { samples } from "./samples.ts";

const hex = (text: string) => fromHex(text.replaceAll(/\s/g, "")) ?? assert.fail("no hexadecimal");

describe("TPM structures", () => {
  const names = [...new Set(samples.map(({ name }) => name))];

  for (const name of names) {
    const ours = samples.filter((sample) => sample.name === name);

    it(`${name}: what was encoded is decoded, to the last byte`, () => {
      for (const { codec, value, open } of ours) {
        const bytes = encode(codec, value);
        assert.deepEqual(decode(codec, bytes), value);
        if (open === undefined) assertStrict(name, (input) => decode(codec, input), bytes);
      }
    });
  }

  it("refuse reserved bits, unknown selectors and counts over the maximum, and say where", () => {
    const cases: readonly [string, () => unknown, RegExp][] = [
      ["TPMA_OBJECT", () => decode(tpm.TpmaObject, hex("00000001")), /reserved bits/],
      ["TPMA_NV", () => decode(tpm.TpmaNv, hex("00000100")), /reserved bits/],
      ["TPMA_SESSION", () => decode(tpm.TpmaSession, hex("08")), /reserved bits/],
      ["sizeofSelect 4", () => decode(tpm.TpmlPcrSelection, hex("00000001 000b 04 00000000")), /\[0\].*pcrSelect/],
      ["sizeofSelect 2", () => decode(tpm.TpmlPcrSelection, hex("00000001 000b 02 0000")), /\[0\].*pcrSelect/],
      ["17 banks", () => decode(tpm.TpmlPcrSelection, hex("00000011")), /count 17/],
      ["9 digests", () => decode(tpm.TpmlDigest, hex("00000009")), /count 9/],
      ["magic", () => decode(tpm.TpmsAttest, hex("ff544348")), /TPMS_ATTEST\.magic/],
      ["type", () => decode(tpm.TpmsAttest, hex("ff544347 8021")), /TPMS_ATTEST: type 0x8021/],
      ["sigAlg", () => decode(tpm.TpmtSignature, hex("0001")), /TPMT_SIGNATURE: sigAlg 0x1 /],
      ["TPM2B_DATA of 67", () => decode(tpm.Tpm2bData, Uint8Array.of(0, 67, ...new Uint8Array(67))), /67/],
      ["safe 2", () => decode(tpm.TpmsClockInfo, new Uint8Array(17).fill(2)), /safe/],
    ];
    for (const [name, run, message] of cases) {
      assert.throws(run, (error) => error instanceof CodecError && message.test(error.message), name);
    }
  });

  it("have the attribute words of the EK Credential Profile and of the reference's AIK", () => {
    assert.equal(tpm.ekRsa.objectAttributes, 0x000300b2);
    assert.equal(tpm.ekEcc.objectAttributes, 0x000300b2);
    assert.equal(tpm.aikReference.objectAttributes, 0x00060472);
    assert.equal(tpm.aikRestrictedRsa.objectAttributes, 0x00050472);
    assert.equal(tpm.aikRestrictedEcc.objectAttributes, 0x00050472);
  });

  it("lay out both AIKs as a TPM does", () => {
    const head = (template: tpm.TpmtPublicRsa) =>
      toHex(encode(tpm.Tpm2bPublic, { ...template, unique: new Uint8Array(256) })).slice(0, -512);
    assert.equal(head(tpm.aikReference), "01160001000b0006047200000010001008000000" + "00000100");
    assert.equal(head(tpm.aikRestrictedRsa), "01180001000b00050472000000100014000b0800" + "000000000100");
  });
});
