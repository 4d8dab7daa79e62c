import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CodecError, concat, toHex } from "../../../shared/bytes/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { generateEcKey, generateRsaKey } from "../../../shared/crypto/index.ts";
import * as p from "../../../shared/protocol/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { fuzzDecoder } from "../../support/fuzz.ts";
import { seededRandom } from "../../support/random.ts";

const vector = (name: string) => new Uint8Array(readFileSync(`test/vectors/v0/${name}`));

describe("shared/protocol messages", () => {
  const rows = [
    ["01_ek.resp.bin", p.CertChain],
    ["03_challenge.req.bin", p.Challenge],
    ["04_metadata_prov.resp.bin", p.SignedObject],
    ["05_rim.resp.bin", p.SignedObject],
    ["06_metadata_att.req.bin", p.NonceRequest],
    ["06_metadata_att.resp.bin", p.SignedObject],
    ["07_quote.resp.bin", p.Evidence],
  ] as const;

  for (const [file, schema] of rows) {
    it(`${file} is read and written again byte for byte`, () => {
      const bytes = vector(file);
      const value = decodeCbor<unknown>(schema, bytes);
      assert.equal(toHex(encodeCbor<never>(schema as never, value as never)), toHex(bytes));
    });
  }

  it("the quote request of the reference is an indefinite map; both forms mean the same", () => {
    const bytes = vector("07_quote.req.bin");
    const request = decodeCbor(p.QuoteRequest, bytes);
    assert.deepEqual(request.banks, [{ algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff }]);
    assert.equal(toHex(encodeCbor(p.QuoteRequestIndefinite, request)), toHex(bytes));
    assert.deepEqual(decodeCbor(p.QuoteRequest, encodeCbor(p.QuoteRequest, request)), request);
  });

  it("the two datagrams that kill the reference attester are malformed", () => {
    const good = decodeCbor(p.QuoteRequest, vector("07_quote.req.bin"));
    const [bank] = good.banks;
    assert.ok(bank);
    assert.throws(() => encodeCbor(p.NonceRequest, { nonce: new Uint8Array(400) }), RangeError);
    assert.throws(() => encodeCbor(p.QuoteRequest, { ...good, banks: Array(40).fill(bank) }), RangeError);
  });

  it("survives garbage with CodecError only", () => {
    for (const [file, schema] of rows) fuzzDecoder(file, (bytes) => decodeCbor<unknown>(schema, bytes), [vector(file)]);
    fuzzDecoder("quote request", (bytes) => decodeCbor(p.QuoteRequest, bytes), [vector("07_quote.req.bin")]);
  });
});

describe("shared/protocol reference values", () => {
  const { data } = decodeCbor(p.SignedObject, vector("05_rim.resp.bin"));
  const rim = decodeCbor(p.Rim, data);

  it("the captured RIM has four banks of 24 PCRs", () => {
    const banks = p.decodeRim(data);
    assert.deepEqual(
      banks.map((bank) => [bank.hash, bank.values.length]),
      [TpmAlg.SHA1, TpmAlg.SHA256, TpmAlg.SHA384, TpmAlg.SHA512].map((hash) => [hash, 24]),
    );
    assert.equal(toHex(encodeCbor(p.Rim, rim)), toHex(data));
  });

  it("refuses banks whose masks and digests do not fit, and a bank twice", () => {
    const [first, second] = rim.banks;
    assert.ok(first && second);
    for (const banks of [
      [{ ...first, pcrs: 1 }],
      [{ ...first, pcr: first.pcr.slice(1) }],
      [{ ...first, algo_id: TpmAlg.SHA256 }],
      [second, second],
    ]) {
      assert.throws(() => p.decodeRim(encodeCbor(p.Rim, { ...rim, banks })), CodecError);
    }
  });
});

describe("shared/protocol signatures", () => {
  const random = seededRandom(5, "protocol");
  const nonce = random.bytes(32);
  const data = random.bytes(90);
  for (const key of [generateRsaKey(random, 2048), generateEcKey(random, "P-256")]) {
    it(`${key.type}: over data and nonce, nothing else`, () => {
      const signature = p.makeSignature(key, p.signedBytes(data, nonce));
      const { type } = key;
      assert.equal(signature.byteLength, type === "rsa" ? 256 : 64);
      assert.equal(p.verifySignature(key, concat(data, nonce), signature), true);
      assert.equal(p.verifySignature(key, data, signature), false);
      assert.equal(p.verifySignature(key, concat(data, nonce), signature.subarray(1)), false);
      assert.equal(p.verifySignature(key, concat(data, nonce), concat(signature, Uint8Array.of(0))), false);
      const bad = signature.slice();
      bad[40] = (bad[40] ?? 0) ^ 1;
      assert.equal(p.verifySignature(key, concat(data, nonce), bad), false);
    });
  }

  it("a nonce has 32 bytes or is absent", () => {
    assert.deepEqual(p.signedBytes(data), data);
    assert.throws(() => p.signedBytes(data, new Uint8Array(31)), RangeError);
  });
});
