import assert from "node:assert/strict";
import { generateEcKey } from "../../../shared/crypto/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { ALL_PCRS, TpmAlg } from "../../../shared/tpm/index.ts";
import { expectationsUnder } from "../../../token/domain/expectation.ts";
import { explainDigest } from "../../../token/domain/explanation.ts";
import { packLog } from "../../../token/domain/log-record.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { pcrsAfter, RECORDED } from "../../support/launch-log.ts";
import { seededRandom } from "../../support/random.ts";

describe("what a platform on record means", () => {
  const expected = (log: Uint8Array | undefined, { launched = true, profile = STRICT } = {}) =>
    expectationsUnder(
      profile,
      DEFAULT_POLICY,
    )({
      summary: { id: "00", manufacturer: "m", productName: "p", serialNumber: "s" },
      key: generateEcKey(seededRandom(1), "P-256"),
      restricted: true,
      reference: [{ hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS, values: pcrsAfter(RECORDED, launched) }],
      log,
    });

  it("has its log unpacked where it is asked for", () => {
    assert.deepEqual(expected(packLog(RECORDED)).context.enrolledLog?.(), RECORDED);
    assert.equal(expected(undefined).context.enrolledLog?.(), undefined);
  });

  it("its log shows that there was no launch: strict trusts it no more", () => {
    const log = packLog(RECORDED);
    assert.equal(expected(log).unfit, undefined);
    assert.equal(expected(log, { launched: false }).unfit?.reason, "no-dynamic-launch");
    assert.equal(expected(log, { launched: false, profile: COMPAT }).unfit, undefined);
    assert.equal(expected(undefined, { launched: false }).unfit, undefined);
  });

  it("a log that cannot be read explains nothing, and the red is told all the same", () => {
    const { context, unfit } = expected(Uint8Array.of(0xff));
    assert.equal(unfit, undefined);
    assert.equal(explainDigest(new Uint8Array(32), RECORDED, context).reason, "pcr-mismatch");
  });
});
