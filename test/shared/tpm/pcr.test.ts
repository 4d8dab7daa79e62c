import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../../shared/bytes/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import {
  pcrDigest,
  pcrMask,
  pcrNumbers,
  pcrOnes,
  pcrValue,
  pcrZero,
  replay,
  selectionOf,
  TpmAlg,
} from "../../../shared/tpm/index.ts";

const hex = (text: string) => fromHex(text) ?? assert.fail("no hexadecimal");
const SHA256 = TpmAlg.SHA256;

describe("PCRs", () => {
  it("replay to the published values of PC Engines apu2 boots (TrenchBoot, SHA-256 bank)", () => {
    const boots: readonly (readonly [digests: readonly string[], pcr: string])[] = [
      [
        [
          "adf38a252637fcaca26bb89ecceafc6ba75cb0f5237ca8e72294b75a1cff0a0a",
          "0e2377e55314d964833e2d1f4e64c026e2b72c8f1a608af3e668fcccae73102c",
          "1f862d0ddc20d8c04b001cbe1d5aed1d839117e8d342913f6dcf161b9329b26d",
        ],
        "86319148902e0f12fb1fc286c46fec26b3a7b7f0e8480b591c4b0a8d5034356a",
      ],
      [
        [
          "ab4ebda5c87f7df10e2d1e228ea7b1b88f02570e5d29ceaf9dc39f9728f57275",
          "05b7e23226395cd56288998e34ebb641829a172def433f7878b8f5022de1874e",
        ],
        "05fe7e92876c349954a766acc7f5fce64a1a78fd4c5fc4b4e8d19856affd3dba",
      ],
      [
        ["e191a7fc8b3c7d2b60d689aea045d3ea895b8796bd0af91239f35be648fa69c7"],
        "d742e003a9b198f6244d1f4f4d50204874d45aa053afcae97073c476d864e280",
      ],
    ];
    for (const [digests, pcr] of boots) assert.equal(toHex(replay(SHA256, digests.map(hex))), pcr);
  });

  it("masks and numbers are two ways to say the same", () => {
    assert.deepEqual(pcrNumbers(0x000600ff), [0, 1, 2, 3, 4, 5, 6, 7, 17, 18]);
    assert.deepEqual(pcrNumbers(0x80000001), [0, 31]);
    assert.throws(() => pcrMask([24]), RangeError);
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffff }), (mask) => pcrMask(pcrNumbers(mask)) === mask));
  });

  it("the digest of a quote is over the selected PCRs, bank by bank, lowest first", () => {
    const value = (byte: number, size: number) => new Uint8Array(size).fill(byte);
    const banks = [
      { hash: SHA256, pcrSelect: 0b1011, values: [value(0, 32), value(1, 32), value(3, 32)] },
      { hash: TpmAlg.SHA1, pcrSelect: 0b10, values: [value(0x11, 20)] },
    ];
    assert.deepEqual(
      pcrDigest(
        SHA256,
        [
          { hash: TpmAlg.SHA1, pcrSelect: 2 },
          { hash: SHA256, pcrSelect: 0b1001 },
        ],
        banks,
      ),
      digest("sha256", value(0x11, 20), value(0, 32), value(3, 32)),
    );
    assert.deepEqual(
      pcrDigest(SHA256, selectionOf(banks), [...banks].reverse()),
      pcrDigest(SHA256, selectionOf(banks), banks),
    );
    assert.equal(pcrDigest(SHA256, [{ hash: SHA256, pcrSelect: 0b100 }], banks), undefined);
    assert.equal(pcrDigest(SHA256, [{ hash: TpmAlg.SHA384, pcrSelect: 1 }], banks), undefined);
    assert.equal(pcrDigest(TpmAlg.NULL, selectionOf(banks), banks), undefined);
    assert.deepEqual(pcrDigest(SHA256, [], banks), digest("sha256"));
    assert.equal(pcrValue(banks[0] ?? assert.fail(), 2), undefined);
  });

  it("start from zero, or from ones without a dynamic launch", () => {
    assert.equal(toHex(pcrZero(TpmAlg.SHA1)), "00".repeat(20));
    assert.equal(toHex(pcrOnes(TpmAlg.SHA384)), "ff".repeat(48));
    assert.throws(() => pcrZero(TpmAlg.SM3_256), RangeError);
  });
});
