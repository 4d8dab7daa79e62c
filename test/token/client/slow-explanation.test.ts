import assert from "node:assert/strict";
import { TOKEN_PEER, V0Scene } from "../../support/v0-scene.ts";

describe("API v0 driver: a computer that explains slowly", () => {
  it("does not hold the red verdict back", () => {
    const scene = new V0Scene();
    assert.equal(scene.run().at(-1), "attested");
    scene.attester.pcrs = scene.attester.pcrs.map(() => new Uint8Array(32));
    scene.attester.tamper = (path, reply) =>
      path === "/rim" ? { ...reply, payload: new Uint8Array(16_000).fill(1) } : reply;
    scene.net.fate = ({ to }) => [to.port === TOKEN_PEER.port ? 900 : 1];
    assert.deepEqual(scene.replug(15_000), ["attestation-failed pcr-mismatch"]);
  });
});
