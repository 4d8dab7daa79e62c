import assert from "node:assert/strict";
import { toHex } from "../../../shared/bytes/index.ts";
import { COMPAT, STRICT } from "../../../token/domain/profile.ts";
import { V1Scene } from "../../support/v1-scene.ts";

for (const profile of [STRICT, COMPAT]) {
  describe(`API v1 server: one day of a token, ${profile.name}`, () => {
    it("owner, platform, attestation, files", async () => {
      const scene = new V1Scene({ profile, provisioned: false });
      const { walk } = scene.client();
      assert.deepEqual(await walk.versions(), [1]);
      await walk.provisionToken();
      await walk.provisionPlatform();
      await walk.attest();
      await walk.write("key", Uint8Array.of(1, 2, 3));
      await walk.write("key", Uint8Array.of(4), { code: "2.04" });
      assert.deepEqual(await walk.read("key"), Uint8Array.of(4));
      assert.deepEqual(await walk.platforms().then((all) => all.map(({ files, attested }) => [files, attested])), [
        [1, 1],
      ]);
      await walk.remove("key");
      assert.equal((await walk.file("key")).code, "4.04");
      assert.deepEqual(scene.story, ["token-provisioned", "platform-provisioned", "attested", "attested-sessions 1"]);
      scene.clock.advance(1_000);
      assert.equal(scene.lamp, "green");
      assert.deepEqual(scene.log.lines, []);
    });

    it("two runs from one seed send the same bytes", async () => {
      const run = async (seed: number) => {
        const scene = new V1Scene({ profile, provisioned: false, seed });
        const { walk } = scene.client();
        await walk.provisionToken();
        await walk.provisionPlatform();
        await walk.attest();
        await walk.write("key", Uint8Array.of(1, 2, 3));
        scene.clock.advance(10_000);
        return scene.net.sent.map(({ datagram }) => toHex(datagram));
      };
      assert.deepEqual(await run(1), await run(1));
      assert.notDeepEqual(await run(1), await run(2));
    });
  });
}
