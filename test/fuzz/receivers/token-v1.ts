import assert from "node:assert/strict";
import { createEndpoint } from "../../../shared/coap/index.ts";
import type { DatagramPort } from "../../../shared/ports/index.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { TOKEN_ADDRESS } from "../../../token/token.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";
import { askOver } from "../../support/v1-asks.ts";
import { V1Walk } from "../../support/v1-walk.ts";
import { datagrams } from "./datagrams.ts";
import { receiver } from "./receiver.ts";
import { COAP_PORT, tokenBehindLink } from "./token-link.ts";

const TOKEN = { address: TOKEN_ADDRESS, port: COAP_PORT };
const STEP_MS = 10;
const MAX_STEPS = 20_000;

type Scene = ReturnType<typeof tokenBehindLink>;

/** Lets virtual time pass until `work` is done. */
async function during(scene: Scene, work: Promise<void>): Promise<void> {
  let isDone = false;
  const settled = work.finally(() => {
    isDone = true;
  });
  settled.catch(() => undefined); // it is awaited below
  for (let step = 0; !isDone && step < MAX_STEPS; step++) {
    scene.clock.advance(STEP_MS);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  assert.ok(isDone, "the token does not answer");
  await settled;
}

/** The port, with what is sent from it written down. */
function recorded(port: DatagramPort, sent: Uint8Array[]): DatagramPort {
  return {
    local: port.local,
    send(datagram, to) {
      sent.push(datagram.slice());
      port.send(datagram, to);
    },
    onDatagram: (listener) => port.onDatagram(listener),
    close: () => port.close(),
  };
}

/**
 * The token of API v1, with owner and platform: what its honest computer said is sent changed, and nothing of it is ever an attestation.
 * Afterwards the computer attests, and stores a file.
 */
export const tokenV1 = receiver("token of API v1 behind its link", datagrams, async () => {
  const owner = new FakeOwner();
  const attester = new FakeAttester({ aik: "restricted-rsa" });
  const scene = tokenBehindLink({
    api: "v1",
    profile: STRICT,
    ownerRoot: owner.root.certificate,
    ekRoots: [attester.vendor.certificate],
  });
  const { clock, log, usb, host, events } = scene;
  const heard: Uint8Array[] = [];
  const walkFrom = (port: DatagramPort, seed: number) =>
    new V1Walk(askOver(createEndpoint({ port, clock, log, random: seededRandom(seed) }), TOKEN), owner, attester);
  usb.plug();
  const walk = walkFrom(recorded(host.udp(40_000), heard), 1);
  const story = async () => {
    await walk.provisionToken();
    await walk.provisionPlatform();
    await walk.attest();
    await walk.write("file", new Uint8Array(700).fill(9));
    await walk.read("file");
    await walk.platforms();
  };
  await during(scene, story());
  events.length = 0;
  return {
    heard,
    take(input) {
      const isAnswered = scene.send(input);
      assert.ok(!events.includes("attested"), "attested by garbage");
      events.length = 0;
      return isAnswered;
    },
    async end() {
      assert.deepEqual(scene.errors(), []);
      usb.unplug();
      usb.plug();
      const again = walkFrom(host.udp(40_001), 2);
      await during(
        scene,
        (async () => {
          await again.attest();
          await again.write("file", new Uint8Array(9), { code: "2.04" });
        })(),
      );
      assert.ok(events.includes("attested"), events.join());
      scene.token.stop();
    },
  };
});
