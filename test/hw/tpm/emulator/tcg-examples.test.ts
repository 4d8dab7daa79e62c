/** Values that documents of the TCG give, and that every PC with a TPM shows. */
import assert from "node:assert/strict";
import { concat, encode, fromHex, toHex, u32be } from "../../../../shared/bytes/index.ts";
import { digest } from "../../../../shared/crypto/index.ts";
import { commands, ekEcc, ekRsa, TpmAlg, TpmRh } from "../../../../shared/tpm/index.ts";
import { Bench, PASSWORD, POLICY_SESSION } from "./support.ts";

const NONE = new Uint8Array(0);
const hex = (text: string) => fromHex(text) ?? assert.fail(text);

/** PolicyA of the EK Credential Profile, Version 2.5, B.6.2: TPM2_PolicySecret(TPM_RH_ENDORSEMENT). */
const POLICY_A = "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
/** EV_SEPARATOR of the PC Client Platform Firmware Profile: four zeros, of which PCR 0 to 7 get one at the end of the firmware. */
const SEPARATOR = {
  sha1: "9069ca78e7450a285173431b3e52c5c25299e473",
  sha256: "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119",
};
/** What a PCR holds that got nothing but the separator. */
const ONLY_SEPARATOR = {
  sha1: "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236",
  sha256: "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969",
};

describe("examples of the TCG", () => {
  it("PolicyA: in the EK templates, by the formula of Part 3, 23.4, and by the emulator's policy session", () => {
    for (const template of [ekRsa, ekEcc]) assert.equal(toHex(template.authPolicy), POLICY_A);
    const codeAndName = concat(encode(u32be, commands.PolicySecret.code), encode(u32be, TpmRh.ENDORSEMENT));
    const inner = digest("sha256", concat(new Uint8Array(32), codeAndName));
    assert.equal(toHex(digest("sha256", inner)), POLICY_A);
    const bench = new Bench("PolicyA").start();
    const started = bench.must(commands.StartAuthSession, [TpmRh.NULL, TpmRh.NULL], POLICY_SESSION);
    const parameters = { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 };
    bench.must(commands.PolicySecret, [TpmRh.ENDORSEMENT, started.handle], parameters, [PASSWORD]);
    const { response } = bench.must(commands.PolicyGetDigest, [started.handle], {});
    assert.equal(toHex(response.policyDigest), POLICY_A);
  });

  for (const [name, hash] of [
    ["sha1", TpmAlg.SHA1],
    ["sha256", TpmAlg.SHA256],
  ] as const) {
    it(`the separator's digest by ${name}, and the PCR that got it alone, by the emulator's TPM2_PCR_Extend and TPM2_PCR_Event`, () => {
      assert.equal(toHex(digest(name, new Uint8Array(4))), SEPARATOR[name]);
      const bench = new Bench("separator").start();
      bench.must(commands.PCR_Extend, [6], { digests: [{ hashAlg: hash, digest: hex(SEPARATOR[name]) }] });
      bench.must(commands.PCR_Event, [5], { eventData: new Uint8Array(4) });
      for (const [pcr, pcrSelect] of [
        [6, 1 << 6],
        [5, 1 << 5],
      ] as const) {
        const { response } = bench.must(commands.PCR_Read, [], { pcrSelectionIn: [{ hash, pcrSelect }] });
        assert.equal(toHex(response.pcrValues[0] ?? NONE), ONLY_SEPARATOR[name], `PCR ${pcr}`);
      }
    });
  }
});
