/** A computer whose answers are nonsense at first. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { createRamFlash } from "../../hw/flash/index.ts";
import { createEndpoint } from "../../shared/coap/index.ts";
import { COMPAT } from "../../token/domain/profile.ts";
import { createToken, TOKEN_ADDRESS } from "../../token/token.ts";
import { TestLog } from "../support/coap-pair.ts";
import { DatagramNet } from "../support/datagram-net.ts";
import { FakeAttester } from "../support/fake-attester.ts";
import { FakeOwner } from "../support/fake-owner.ts";
import { fuzzedInputs, fuzzInputs } from "../support/fuzz.ts";
import { seededRandom } from "../support/random.ts";
import { COMPUTER } from "./receivers/ip-host.ts";

const NO_BYTES = new Uint8Array(0);

describe("a token of API v0 that hears nonsense", () => {
  it("attests the computer when its answers make sense", function () {
    this.timeout(600_000);
    const [clock, log] = [new VirtualClock(), new TestLog()];
    const net = new DatagramNet(clock);
    const [attester, owner] = [new FakeAttester(), new FakeOwner()];
    const { token, events } = newToken(clock, log, attester, owner);
    const computer = createEndpoint({ port: net.open(COMPUTER.address, 5683), clock, random: seededRandom(1), log });
    const count = Math.ceil(fuzzInputs / 25);
    let answers = 0;
    computer.serve(async (request) => {
      const isOwners = ["cert_chain", "csr"].includes(request.path[0] ?? "");
      const reply = await (isOwners ? owner : attester).handler(request);
      answers++;
      // Every third answer is right, so that the token gets on.
      if (answers > count || answers % 3 === 0) return reply;
      const [payload] = fuzzedInputs(`answer ${answers}`, [reply.payload ?? NO_BYTES], 1);
      return { ...reply, payload };
    });
    token.serve(net.open(TOKEN_ADDRESS, 49_152));
    const goOn = async (isDone: () => boolean) => {
      for (let seconds = 0; !isDone() && seconds < 100_000; seconds++) {
        clock.advance(1000);
        await Promise.resolve();
      }
    };
    return goOn(() => answers > count)
      .then(() => {
        assert.ok(answers > count, `${answers} answers`);
        events.length = 0;
        token.wipe();
        return goOn(() => events.includes("attested"));
      })
      .then(() => assert.ok(events.includes("attested"), events.join()));
  });
});

function newToken(clock: VirtualClock, log: TestLog, attester: FakeAttester, owner: FakeOwner) {
  const button = { onChange: () => () => undefined };
  const env = { clock, random: seededRandom(2), flash: createRamFlash(), leds: { show: () => undefined }, log, button };
  const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
  const token = createToken(env, { api: "v0", profile: COMPAT, ...roots });
  const events: string[] = [];
  token.onEvent(({ type }) => events.push(type));
  return { token, events };
}
