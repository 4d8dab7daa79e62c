import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import {
  nameOf,
  publicKeyOf,
  Tpm2bEncryptedSecret,
  Tpm2bIdObject,
  Tpm2bPublic,
  TpmAlg,
  TpmSt,
  TpmsAttest,
  TpmsIdObject,
  type TpmtSignature,
  verifyTpmSignature,
} from "../../../shared/tpm/index.ts";
import { assertStrict } from "../../support/fuzz.ts";

const vector = (name: string) => new Uint8Array(readFileSync(new URL(`../../vectors/v0/${name}`, import.meta.url)));

/** The bytes behind a CBOR text key: enough for a captured body whose layout is known. */
function bytesBehind(body: Uint8Array, key: string, headerBytes: number, size: number): Uint8Array {
  const at = Buffer.from(body).indexOf(key);
  assert.ok(at > 0, key);
  const start = at + key.length + headerBytes;
  return body.slice(start, start + size);
}

describe("TPM structures of a captured exchange (test/vectors/v0)", () => {
  const aikBytes = vector("02_aik.resp.bin");
  const quoteBody = vector("07_quote.resp.bin");
  const attestBytes = bytesBehind(quoteBody, "data", 2, 145);
  const signature: TpmtSignature = {
    sigAlg: TpmAlg.RSASSA,
    hash: TpmAlg.SHA256,
    sig: bytesBehind(quoteBody, "signature", 3, 256),
  };

  it("the AIK is a TPM2B_PUBLIC, its Name the one the TPM used", () => {
    const aik = decode(Tpm2bPublic, aikBytes);
    assert.equal(toHex(encode(Tpm2bPublic, aik)), toHex(aikBytes));
    assert.equal(aik.type, TpmAlg.RSA);
    assert.equal(aik.objectAttributes, 0x00060472);
    const name = readFileSync(new URL("../../vectors/v0/02_aik.name.hex", import.meta.url), "utf8").trim();
    assert.equal(toHex(nameOf(aik)), name);
    assertStrict("TPM2B_PUBLIC", (input) => decode(Tpm2bPublic, input), aikBytes);
  });

  it("the quote is a TPMS_ATTEST with the nonce and the mask asked for", () => {
    const attest = decode(TpmsAttest, attestBytes);
    assert.equal(toHex(encode(TpmsAttest, attest)), toHex(attestBytes));
    assert.ok(attest.type === TpmSt.ATTEST_QUOTE);
    assert.equal(attest.clockInfo.safe, 1);
    assert.deepEqual(attest.attested.pcrSelect, [{ hash: TpmAlg.SHA256, pcrSelect: 0x000600ff }]);
    assert.ok(Buffer.from(vector("07_quote.req.bin")).includes(Buffer.from(attest.extraData)));
    assertStrict("TPMS_ATTEST", (input) => decode(TpmsAttest, input), attestBytes);
  });

  it("the AIK's signature over the quote holds, and over nothing else", () => {
    const key = publicKeyOf(decode(Tpm2bPublic, aikBytes));
    assert.ok(key !== undefined);
    assert.equal(verifyTpmSignature(key, signature, attestBytes), true);
    for (let bit = 0; bit < attestBytes.byteLength * 8; bit += 7) {
      const changed = attestBytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(verifyTpmSignature(key, signature, changed), false);
    }
    assert.equal(verifyTpmSignature(key, { ...signature, sigAlg: TpmAlg.RSAPSS }, attestBytes), false);
    assert.equal(verifyTpmSignature(key, { ...signature, hash: TpmAlg.SHA384 }, attestBytes), false);
    assert.equal(verifyTpmSignature(key, { ...signature, hash: TpmAlg.NULL }, attestBytes), false);
    assert.equal(verifyTpmSignature(key, { sigAlg: TpmAlg.NULL }, attestBytes), false);
  });

  it("the challenge holds a credential of the sizes that the reference makes", () => {
    const body = vector("03_challenge.req.bin");
    const idObject = decode(Tpm2bIdObject, bytesBehind(body, "idObject", 2, 70));
    assert.equal(decode(TpmsIdObject, idObject).encIdentity.byteLength, 34);
    assert.equal(decode(Tpm2bEncryptedSecret, bytesBehind(body, "encSecret", 3, 258)).byteLength, 256);
    assert.equal(
      fromHex(
        readFileSync(new URL("../../vectors/v0/03_challenge.expected_secret.hex", import.meta.url), "utf8").trim(),
      )?.byteLength,
      32,
    );
  });
});
