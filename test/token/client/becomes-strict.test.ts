import assert from "node:assert/strict";
import { STRICT } from "../../../token/domain/profile.ts";
import { memoryStore } from "../../support/memory-store.ts";
import { V0Scene } from "../../support/v0-scene.ts";

describe("API v0 driver: a token that becomes strict", () => {
  it("does not trust a platform that was enrolled with the reference's AIK", () => {
    const store = memoryStore();
    assert.equal(new V0Scene({ store }).run().at(-1), "attested");
    const strict = new V0Scene({ store, profile: STRICT });
    assert.deepEqual(strict.run(), ["attestation-failed aik-unrestricted"]);
  });

  it("does not trust a platform that was enrolled without a dynamic launch", () => {
    const store = memoryStore();
    const lax = { ...STRICT, demandsDynamicLaunch: false };
    const before = new V0Scene({ store, profile: lax, aik: "restricted-rsa" });
    before.attester.withoutLaunch();
    assert.equal(before.run().at(-1), "attested");
    const strict = new V0Scene({ store, profile: STRICT, aik: "restricted-rsa" });
    strict.attester.withoutLaunch();
    assert.deepEqual(strict.run(), ["attestation-failed no-dynamic-launch"]);
  });
});
