import assert from "node:assert/strict";
import { V0Scene } from "../../support/v0-scene.ts";

describe("API v0 driver: an answer against the rules", () => {
  it("of too many bytes is malformed, not silence", () => {
    const scene = new V0Scene();
    scene.attester.tamper = (_path, reply) => ({ ...reply, payload: new Uint8Array(30_000) });
    assert.deepEqual(scene.run(), ["token-provisioned", "platform-refused answer-malformed"]);
  });
});
