import assert from "node:assert/strict";
import { type CoapOutcome, Code } from "../../../shared/coap/index.ts";
import { CLIENT, CoapPair, SERVER } from "../../support/coap-pair.ts";
import { datagrams } from "./datagrams.ts";
import { forgetHarmless, isError, receiver } from "./receiver.ts";

/** Server and client of one pair in turn, by a stranger; then a body goes there and back in blocks. */
export const coapEndpoint = receiver("CoAP endpoint, server and client", datagrams, () => {
  const pair = new CoapPair();
  pair.server.serve(({ payload }) => ({ code: Code.Content, payload }));
  const stranger = pair.net.open("10.0.0.3", 5683);
  let answers = 0;
  stranger.onDatagram(() => answers++);
  let sent = 0;
  return {
    take(input) {
      answers = 0;
      stranger.send(input, sent++ % 2 === 0 ? SERVER : CLIENT);
      pair.clock.advance(sent % 50 === 0 ? 1000 : 0);
      if (sent % 50 === 0) {
        pair.net.sent.length = 0;
        forgetHarmless(pair.log.lines);
      }
      return answers > 0;
    },
    end() {
      pair.clock.advance(300_000);
      const outcomes: CoapOutcome[] = [];
      const payload = new Uint8Array(3000).fill(7);
      pair.client.start(SERVER, { method: "POST", path: "echo", payload }, (outcome) => outcomes.push(outcome));
      pair.clock.advance(10_000);
      const [outcome] = outcomes;
      assert.ok(outcome?.ok, JSON.stringify(outcome));
      assert.deepEqual(outcome.response.payload, payload);
      assert.deepEqual(pair.log.lines.filter(isError), []);
    },
  };
});
