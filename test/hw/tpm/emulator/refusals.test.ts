import assert from "node:assert/strict";
import { mayExtend, PCR_COUNT } from "../../../../hw/tpm/emulator/pcr.ts";
import { encode, u32be } from "../../../../shared/bytes/index.ts";
import { digest } from "../../../../shared/crypto/index.ts";
import {
  aikRestrictedEcc,
  commands,
  TPM_GENERATED_VALUE,
  TpmAlg,
  TpmRc,
  TpmRh,
  tpmtHa,
} from "../../../../shared/tpm/index.ts";
import { Bench } from "./support.ts";

/** What the rest hangs on that a token believes of a TPM, told without another TPM beside it. */

const NONE = new Uint8Array(0);
const DIGEST = digest("sha256", NONE);
const MESSAGE = new TextEncoder().encode("a message");
const NO_TICKET = { tag: 0x8024, hierarchy: TpmRh.NULL, digest: NONE } as const;
/** Format one, parameter 3: Part 2, 6.6. */
const BAD_TICKET = TpmRc.TICKET | 0x340;

describe("what the emulator refuses", () => {
  it("a PCR at a locality that may not extend it, by TPM2_PCR_Extend and by TPM2_PCR_Event", () => {
    const bench = new Bench().start();
    for (const locality of [0, 1, 2, 3, 4]) {
      bench.engine.locality = locality;
      for (let pcr = 0; pcr < PCR_COUNT; pcr++) {
        const extended = bench.run(commands.PCR_Extend, [pcr], { digests: [tpmtHa(TpmAlg.SHA256, DIGEST)] });
        const expected = mayExtend(pcr, locality) ? TpmRc.SUCCESS : TpmRc.LOCALITY;
        assert.equal(extended.rc, expected, `PCR ${pcr} at locality ${locality}`);
        assert.equal(bench.run(commands.PCR_Event, [pcr], { eventData: MESSAGE }).rc, expected);
      }
    }
  });

  it("a signature of a restricted key over what this TPM did not hash, or what looks like its own statement", () => {
    const bench = new Bench().start();
    const { handle } = bench.must(commands.CreatePrimary, [TpmRh.OWNER], {
      ...{ inSensitive: { userAuth: NONE, data: NONE }, inPublic: aikRestrictedEcc, outsideInfo: NONE, creationPCR: [] }, // biome-ignore format: what does not matter here
    });
    const inScheme = { scheme: TpmAlg.NULL } as const;
    const hashed = (data: Uint8Array) =>
      bench.must(commands.Hash, [], { data, hashAlg: TpmAlg.SHA256, hierarchy: TpmRh.OWNER }).response;
    const signed = (data: Uint8Array, validation: ReturnType<typeof hashed>["validation"]) =>
      bench.run(commands.Sign, [handle], { digest: digest("sha256", data), inScheme, validation }).rc;
    const forged = encode(u32be, TPM_GENERATED_VALUE);
    assert.equal(signed(MESSAGE, hashed(MESSAGE).validation), TpmRc.SUCCESS);
    assert.equal(signed(MESSAGE, NO_TICKET), BAD_TICKET);
    assert.equal(signed(MESSAGE, hashed(NONE).validation), BAD_TICKET, "a ticket for something else");
    assert.equal(signed(forged, hashed(forged).validation), BAD_TICKET);
    assert.equal(signed(forged, hashed(MESSAGE).validation), BAD_TICKET);
  });
});
