import assert from "node:assert/strict";
import { Code, createEndpoint, encodeMessage, MessageType } from "../../../shared/coap/index.ts";
import { COMPAT } from "../../../token/domain/profile.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { FakeOwner } from "../../support/fake-owner.ts";
import { seededRandom } from "../../support/random.ts";
import { hex } from "../decoder.ts";
import { datagrams } from "./datagrams.ts";
import { receiver } from "./receiver.ts";
import { tokenBehindLink } from "./token-link.ts";

const replies = [Code.Content, Code.Created, Code.NotFound].map((code) =>
  encodeMessage({
    type: MessageType.Ack,
    code,
    messageId: 1,
    coapToken: new Uint8Array(0),
    options: [],
    payload: hex("a1646461746140"),
  }),
);
const OWNERS = ["cert_chain", "csr"];

/** The token of API v0, which asks: afterwards it provisions itself and attests the computer. */
export const tokenV0 = receiver("token of API v0 behind its link", [...datagrams, ...replies], () => {
  const [attester, owner] = [new FakeAttester(), new FakeOwner()];
  const roots = { ownerRoot: owner.root.certificate, ekRoots: [attester.vendor.certificate] };
  const it = tokenBehindLink({ api: "v0", profile: COMPAT, ...roots });
  it.usb.plug();
  return {
    take: (input) => it.send(input),
    end() {
      it.usb.unplug();
      const { port, clock, log } = it;
      const computer = createEndpoint({ port, clock, random: seededRandom(1), log });
      computer.serve((request) =>
        OWNERS.includes(request.path[0] ?? "") ? owner.handler(request) : attester.handler(request),
      );
      it.events.length = 0;
      it.usb.plug();
      it.clock.advance(60_000);
      assert.ok(it.events.includes("attested"), it.events.join());
      assert.deepEqual(it.errors(), []);
      it.token.stop();
    },
  };
});
