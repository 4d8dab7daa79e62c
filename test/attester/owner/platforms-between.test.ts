import assert from "node:assert/strict";
import { createTokenWire } from "../../../attester/flows/token-wire.ts";
import { type Administered, listPlatforms, removePlatform } from "../../../attester/owner/index.ts";
import { decodeCbor, encodeCbor } from "../../../shared/cbor/index.ts";
import { type ClientRequest, type CoapResponse, Code } from "../../../shared/coap/index.ts";
import { PlatformList, V1 } from "../../../shared/protocol/index.ts";
import { usualScheme } from "../../../shared/x509/index.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { seededRandom } from "../../support/random.ts";
import { V1_TOKEN, V1Scene } from "../../support/v1-scene.ts";

function refusedWith(outcome: Administered<unknown>, reason: string, sentence: RegExp): void {
  assert.equal(outcome.ok ? "done" : outcome.reason, reason);
  assert.match(outcome.ok ? "" : outcome.sentence, sentence);
}

/** A token with one platform; all have the same owner. */
function tokenWith(serialNumber: string, seed: number): V1Scene {
  const scene = new V1Scene({ seed, attester: new FakeAttester({ aik: "restricted-rsa", serialNumber }) });
  assert.equal(scene.client().enrol(), "2.04");
  return scene;
}

/** A list as somebody on the link may write it: the answer is not signed. */
function renumbered(answer: CoapResponse, serial_number: string): CoapResponse {
  const { platforms } = decodeCbor(PlatformList, answer.payload, "platforms");
  const forged = platforms.map((platform) => ({ ...platform, serial_number }));
  return { ...answer, payload: encodeCbor(PlatformList, { platforms: forged }) };
}

/** The owner means `near`; what is signed goes to `far`, whose platform goes by the serial number of the one at `near`. */
async function between() {
  const [near, far] = [tokenWith("old laptop", 1), tokenWith("server", 2)];
  const client = far.client(2);
  const request = async (_peer: unknown, asked: ClientRequest) => {
    const answer = client.ask(asked);
    return asked.path === V1.PLATFORMS && answer.code === Code.Content ? renumbered(answer, "old laptop") : answer;
  };
  const endpoint = { request, ping: () => assert.fail("no pings here") };
  const wire = createTokenWire({ endpoint, token: V1_TOKEN, log: new TestLog() });
  const { key } = near.owner.issuing;
  const options = { wire, key, scheme: usualScheme(key), random: seededRandom(21) };
  const listed = await listPlatforms(options);
  const [platform] = listed.ok ? listed.value : [];
  assert.equal(platform?.serialNumber, "old laptop");
  return { near, far, options, platform };
}

describe("attester/owner: somebody hands on nonces and lists of another token of the same owner", () => {
  it("an owner who names the token that is meant is refused by the other", async () => {
    const { near, far, options, platform } = await between();
    const meant = { ...options, token: near.domain.deviceId };
    refusedWith(await listPlatforms(meant), "not-owner", /4\.03: for token/);
    refusedWith(await removePlatform(platform, meant), "not-owner", /4\.03: for token/);
    assert.deepEqual([near.domain.platforms.count, far.domain.platforms.count], [1, 1]);
  });

  it("an owner who cannot name it removes nothing else than was shown", async () => {
    const { near, far, options, platform } = await between();
    refusedWith(await removePlatform(platform, options), "not-found", /4\.04: .*called otherwise/);
    assert.deepEqual([near.domain.platforms.count, far.domain.platforms.count], [1, 1]);
  });
});
