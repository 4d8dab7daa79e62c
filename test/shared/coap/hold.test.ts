import assert from "node:assert/strict";
import {
  type CoapOption,
  Code,
  codeText,
  OptionNumber,
  optionUint,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { CLIENT, CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";

const BLOCK_1024 = 6;
const MORE = 0x08;

/** A server of few places, the peer that it may hold, and as many strangers as wanted. */
function scene({ held }: { held: boolean }) {
  const limits = { uploads: 2, uploadsOfPeer: 2, downloads: 2, rememberedMessages: 4, peers: 4 };
  const pair = new CoapPair({ synchronous: true, server: { limits } });
  let handled = 0;
  pair.server.serve(({ method, payload }) => {
    handled++;
    if (method === "GET") return { code: Code.Content, payload: new Uint8Array(3_000).fill(handled) };
    return { code: Code.Changed, payload: Uint8Array.of(payload.byteLength >> 8) };
  });
  const peer = new RawPeer(pair.net, { address: "10.0.0.3", port: 1 }, SERVER);
  const release = held ? pair.server.hold({ address: "10.0.0.3", port: 1 }) : () => undefined;
  let messageId = 0;
  const send = (from: RawPeer, code: number, options: readonly CoapOption[] = [], bytes = 0) => {
    from.received.length = 0;
    from.send({ code, messageId: ++messageId, options, payload: new Uint8Array(bytes) });
    const { code: answer = Code.Empty } = from.received[0] ?? {};
    return codeText(answer);
  };
  const block = (number: number, more: boolean, option: number = OptionNumber.Block1) =>
    uintOption(option, (number << 4) | (more ? MORE : 0) | BLOCK_1024);
  let strangers = 0;
  const flood = () => {
    for (let i = 0; i < 20; i++) {
      const stranger = new RawPeer(pair.net, { address: "10.0.1.1", port: ++strangers }, SERVER);
      send(stranger, Code.Put, [textOption(OptionNumber.UriPath, "x"), block(0, true)], 1_024);
      send(stranger, Code.Get, [textOption(OptionNumber.UriPath, "x")]);
    }
  };
  return { peer, send, block, flood, release, pair, handled: () => handled };
}

describe("CoAP endpoint: peers that are held", () => {
  it("a flood of strangers pushes out the transfers of a stranger, not those of who is held", () => {
    for (const held of [false, true]) {
      const { peer, send, block, flood } = scene({ held });
      assert.equal(send(peer, Code.Put, [block(0, true)], 1_024), "2.31");
      assert.equal(send(peer, Code.Fetch, []), "2.04");
      flood();
      assert.equal(send(peer, Code.Put, [block(1, false)], 10), held ? "2.04" : "4.08");
    }
  });

  it("nor what it was reading: later blocks are of the same response", () => {
    for (const held of [false, true]) {
      const { peer, send, block, flood } = scene({ held });
      assert.equal(send(peer, Code.Get), "2.05");
      const first = peer.received[0]?.payload[0];
      flood();
      send(peer, Code.Get, [block(1, false, OptionNumber.Block2)]);
      assert.equal(peer.received[0]?.payload[0] === first, held);
    }
  });

  it("nor what it said: its duplicates run once", () => {
    for (const held of [false, true]) {
      const { peer, flood, handled, send } = scene({ held });
      send(peer, Code.Put, [], 1);
      flood();
      const before = handled();
      peer.send({ code: Code.Put, messageId: 1, payload: new Uint8Array(1) });
      assert.equal(handled() - before, held ? 0 : 1);
      assert.equal(codeText(peer.received.at(-1)?.code ?? 0), "2.04");
    }
  });

  it("nor the very message by which it came to be held", () => {
    for (const as of ["Held", "First"] as const) {
      const { peer, flood, send, pair } = scene({ held: false });
      let runs = 0;
      pair.server.serve(({ method, peer: from }) => {
        if (method === "POST" && runs === 0) pair.server.hold(from, as);
        return { code: Code.Changed, payload: Uint8Array.of(++runs) };
      });
      assert.equal(send(peer, Code.Post, [], 1), "2.04");
      const answer = peer.received[0];
      flood();
      if (as === "First") {
        pair.server.hold({ address: "10.0.0.9", port: 9 });
        const other = new RawPeer(pair.net, { address: "10.0.0.9", port: 9 }, SERVER);
        for (let i = 0; i < 9; i++) send(other, Code.Post, [], 1);
      }
      peer.send({ code: Code.Post, messageId: 1, payload: new Uint8Array(1) });
      assert.deepEqual(peer.received.at(-1), answer);
    }
  });

  it("releases once, however often it is asked to", () => {
    const { release, flood, peer, send, block, pair } = scene({ held: true });
    const second = pair.server.hold({ address: "10.0.0.3", port: 1 });
    release();
    release();
    send(peer, Code.Put, [block(0, true)], 1_024);
    flood();
    assert.equal(send(peer, Code.Put, [block(1, true)], 1_024), "2.31", "the other holder counts");
    second();
    flood();
    assert.equal(send(peer, Code.Put, [block(2, false)], 1), "4.08");
  });

  it("gives way to who is held first, and to nobody else; and no peer has more than its share", () => {
    const { peer, send, block, pair } = scene({ held: false });
    const release = pair.server.hold({ address: "10.0.0.3", port: 1 }, "First");
    const path = (name: string) => textOption(OptionNumber.UriPath, name);
    const flood = () => {
      for (let port = 1; port <= 9; port++) {
        pair.server.hold({ address: "10.0.0.9", port });
        const other = new RawPeer(pair.net, { address: "10.0.0.9", port }, SERVER);
        send(other, Code.Put, [path("x"), block(0, true)], 1_024);
        for (const name of ["x", "y", "z"]) send(other, Code.Get, [path(name)]);
      }
    };
    send(peer, Code.Get);
    const first = peer.received[0]?.payload[0];
    send(peer, Code.Put, [block(0, true)], 1_024);
    flood();
    assert.equal(send(peer, Code.Put, [block(1, true)], 1_024), "2.31");
    send(peer, Code.Get, [block(1, false, OptionNumber.Block2)]);
    assert.equal(peer.received[0]?.payload[0], first);
    release();
    release();
  });

  it("held peers alone still give way to each other", () => {
    const { peer, send, block, pair } = scene({ held: true });
    send(peer, Code.Put, [block(0, true)], 1_024);
    const others = [CLIENT.port + 1, CLIENT.port + 2].map((port) => {
      pair.server.hold({ address: "10.0.0.9", port });
      return new RawPeer(pair.net, { address: "10.0.0.9", port }, SERVER);
    });
    for (const other of others) assert.equal(send(other, Code.Put, [block(0, true)], 1_024), "2.31");
    assert.equal(send(peer, Code.Put, [block(1, false)], 1), "4.08");
  });

  it("who is held makes room for nobody below, until it is idle too long", () => {
    const { peer, send, block, pair } = scene({ held: true });
    const path = (name: string) => textOption(OptionNumber.UriPath, name);
    for (const name of ["a", "b"]) {
      assert.equal(send(peer, Code.Put, [path(name), block(0, true)], 1_024), "2.31");
      assert.equal(send(peer, Code.Fetch, [path(name)]), "2.04");
    }
    const stranger = new RawPeer(pair.net, { address: "10.0.9.9", port: 9 }, SERVER);
    assert.equal(send(stranger, Code.Put, [block(0, true)], 1_024), "5.03");
    assert.equal(optionUint(stranger.received[0]?.options ?? [], OptionNumber.MaxAge), 1);
    assert.equal(send(peer, Code.Put, [path("a"), block(1, true)], 1_024), "2.31");
    pair.clock.advance(200_000);
    assert.equal(send(peer, Code.Put, [path("b"), block(1, true)], 1_024), "2.31");
    assert.equal(send(stranger, Code.Put, [block(0, true)], 1_024), "5.03");
    pair.clock.advance(50_000);
    assert.equal(send(stranger, Code.Put, [block(0, true)], 1_024), "2.31", "of a, idle for 250 s");
    assert.equal(send(peer, Code.Put, [path("b"), block(2, false)], 1), "2.04");
  });

  it("a stranger's response is told, and not kept, while those above it read", () => {
    const { peer, send, block, pair, handled } = scene({ held: true });
    const path = (name: string) => textOption(OptionNumber.UriPath, name);
    for (const name of ["a", "b"]) send(peer, Code.Get, [path(name)]);
    const stranger = new RawPeer(pair.net, { address: "10.0.9.9", port: 9 }, SERVER);
    assert.equal(send(stranger, Code.Get), "2.05");
    const before = handled();
    assert.equal(send(stranger, Code.Get, [block(1, false, OptionNumber.Block2)]), "2.05");
    assert.equal(handled(), before + 1, "made again");
    send(peer, Code.Get, [path("a"), block(1, false, OptionNumber.Block2)]);
    assert.equal(peer.received[0]?.payload[0], 1);
    pair.clock.advance(250_000);
    assert.equal(send(stranger, Code.Get), "2.05");
    const kept = handled();
    assert.equal(send(stranger, Code.Get, [block(1, false, OptionNumber.Block2)]), "2.05");
    assert.equal(handled(), kept);
  });
});
