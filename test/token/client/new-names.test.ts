import assert from "node:assert/strict";
import { V0Scene } from "../../support/v0-scene.ts";

describe("API v0 driver: enrolling new platforms", () => {
  it("a computer that changes its name between enrolment and attestation is enrolled once for each plug-in", () => {
    const scene = new V0Scene({ enrolNew: true });
    let name = 0;
    scene.attester.tamper = (path, reply) => {
      if (path === "/metadata") scene.attester.metadata = { ...scene.attester.metadata, serial_number: `${++name}` };
      return reply;
    };
    assert.deepEqual(scene.run(60_000), [
      "token-provisioned",
      "platform-provisioned",
      "attestation-failed unknown-platform",
    ]);
    const platforms = scene.domain.platforms.count;
    assert.deepEqual(scene.replug(60_000), ["platform-provisioned", "attestation-failed unknown-platform"]);
    assert.equal(scene.domain.platforms.count, platforms + 1);
  });

  it("of the first platform only: a computer of another name is red, and not enrolled", () => {
    const scene = new V0Scene({ enrols: "first" });
    const { metadata } = scene.attester;
    assert.deepEqual(scene.run(), ["token-provisioned", "platform-provisioned", "attested"]);
    scene.attester.metadata = { ...metadata, serial_number: "other" };
    assert.deepEqual(scene.replug(), ["attestation-failed unknown-platform"]);
    assert.equal(scene.domain.platforms.count, 1);
    scene.domain.removePlatform(scene.domain.platforms.list()[0]?.id ?? "");
    assert.deepEqual(scene.replug(), ["platform-provisioned", "attested"]);
    scene.attester.metadata = metadata;
    assert.deepEqual(scene.replug(), ["attestation-failed unknown-platform"]);
  });
});
