import assert from "node:assert/strict";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { seededRandom } from "../support/random.ts";
import { nodeCoapAsk } from "../support/v1-asks.ts";
import { openUdpToken, type UdpToken } from "../support/v1-udp-token.ts";
import { V1Walk } from "../support/v1-walk.ts";

const FILE = seededRandom(2, "v1 interop").bytes(6_000);

describe("API v1: node's coap package as client", () => {
  let token: UdpToken;
  let client: ReturnType<typeof nodeCoapAsk>;

  afterEach(async () => {
    client.close();
    await token.close();
  });

  for (const [profile, aik, ek] of [
    ["strict", "restricted-rsa", "rsa"],
    ["strict", "restricted-ecc", "ecc"],
    ["compat", "reference", "rsa"],
  ] as const) {
    it(`${profile}, ${aik}: owner, platform, attestation, files`, async () => {
      const owner = new FakeOwner();
      const attester = new FakeAttester({ aik, ek });
      const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
      token = await openUdpToken({ profile, ...roots });
      client = nodeCoapAsk(token.peer);
      const walk = new V1Walk(client.ask, owner, attester);
      assert.deepEqual(await walk.versions(), [1]);
      await walk.provisionToken();
      await walk.provisionPlatform();
      await walk.attest();
      assert.deepEqual(token.lamps, { green: true, red: false });
      const granted = profile === "strict";
      await walk.write("disk.key", FILE, { granted });
      await walk.write("disk.key", FILE.slice(1), { granted, code: "2.04" });
      assert.deepEqual((await walk.file("disk.key", { granted })).payload, FILE.slice(1));
      await walk.remove("disk.key");
      assert.equal((await walk.file("disk.key", { granted })).code, "4.04");
      const [platform] = await walk.platforms();
      assert.equal(platform?.serial_number, "1373268");
      assert.equal(platform?.attested, 1);
      assert.ok(!token.log.lines.some((line) => line.startsWith("error")), token.log.lines.join("\n"));
    });
  }
});
