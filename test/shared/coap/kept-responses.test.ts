import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  type CoapOption,
  Code,
  codeText,
  OptionNumber,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";

const READER = { address: "10.0.0.3", port: 1 };
const BLOCK_1024 = 6;
const block = (number: number) => uintOption(OptionNumber.Block2, (number << 4) | BLOCK_1024);
const path = (name: string) => textOption(OptionNumber.UriPath, name);

/** A handler whose every response is another one, of three blocks. */
function scene(limits = {}) {
  const pair = new CoapPair({ synchronous: true, server: { limits } });
  let handled = 0;
  pair.server.serve(() => ({ code: Code.Content, payload: new Uint8Array(3_000).fill(++handled) }));
  let messageId = 0;
  const of = (peer: RawPeer) => (code: number, options: readonly CoapOption[]) => {
    peer.received.length = 0;
    peer.send({ code, messageId: ++messageId, options });
    return peer.received[0] ?? assert.fail("no answer");
  };
  const peer = (port: number) => of(new RawPeer(pair.net, { ...READER, port }, SERVER));
  return { pair, peer, ask: peer(READER.port), handled: () => handled };
}

/** Code and the number of the handler's run that made the response: "2.05 1". */
const said = ({ code, payload }: CoapMessage) => `${codeText(code)} ${payload[0]}`;
const get = (number: number, ...more: readonly CoapOption[]) => [Code.Get, [...more, block(number)]] as const;

describe("CoAP server: responses kept for their blocks (RFC 7959, section 2.4)", () => {
  it("gives blocks of one response in any order and again, also behind its last one", () => {
    const { ask, handled } = scene();
    const answers = [0, 2, 1, 1, 2].map((number) => ask(...get(number)));
    assert.deepEqual(answers.map(said), Array(5).fill("2.05 1"));
    assert.deepEqual(answers[2]?.payload, answers[3]?.payload);
    assert.equal(handled(), 1);
  });

  it("runs the handler anew for who asks from the first block, and forgets with the peer what was read", () => {
    const { ask, pair } = scene();
    for (const number of [0, 1, 2]) ask(...get(number));
    assert.equal(said(ask(...get(0))), "2.05 2");
    assert.equal(said(ask(...get(2))), "2.05 2");
    pair.server.forget(READER);
    assert.equal(said(ask(...get(1))), "2.05 3");
  });

  it("keeps nothing for a block behind the end", () => {
    const { ask, pair } = scene();
    assert.equal(codeText(ask(...get(9)).code), "4.00");
    assert.equal(pair.server.holdings()["downloads"], 0);
  });

  it("lets what was read to its end give way first, whoever it was for", () => {
    const { ask, peer, pair } = scene({ downloads: 2 });
    pair.server.hold(READER, "First");
    for (const number of [0, 1, 2]) ask(...get(number, path("read")));
    ask(...get(0, path("under way")));
    const stranger = peer(2);
    assert.equal(said(stranger(...get(0))), "2.05 3");
    assert.equal(said(stranger(...get(1))), "2.05 3");
    assert.equal(said(ask(...get(1, path("under way")))), "2.05 2");
    assert.equal(said(ask(...get(1, path("read")))), "2.05 4");
  });

  it("lets it give way first among those of one peer, too", () => {
    const { ask } = scene({ downloadsOfPeer: 2 });
    ask(...get(0, path("under way")));
    for (const number of [0, 1, 2]) ask(...get(number, path("read")));
    ask(...get(0, path("next")));
    assert.equal(said(ask(...get(1, path("under way")))), "2.05 1");
  });

  it("takes a read for the same whether its requests carry Observe or ETag or do not", () => {
    const once = [
      { number: OptionNumber.Observe, value: new Uint8Array(0) },
      { number: OptionNumber.ETag, value: utf8("v") },
    ];
    for (const option of once) {
      const { ask } = scene();
      assert.deepEqual(
        [said(ask(...get(0, option))), said(ask(...get(1))), said(ask(...get(2, option)))],
        ["2.05 1", "2.05 1", "2.05 1"],
      );
    }
  });
});
