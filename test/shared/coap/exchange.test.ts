import assert from "node:assert/strict";
import { fromHex, toHex, utf8 } from "../../../shared/bytes/index.ts";
import {
  CoapError,
  type CoapOutcome,
  Code,
  MessageType,
  NO_OPTIONS,
  OptionNumber,
  textOption,
} from "../../../shared/coap/index.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import { CLIENT, CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";

const TOKEN = utf8("tok");
const PATH = [textOption(OptionNumber.UriPath, "a")];

function isCoapError(kind: CoapError["kind"]): (error: unknown) => boolean {
  return (error) => error instanceof CoapError && error.kind === kind;
}

function resultOf(outcome: CoapOutcome | undefined): string | undefined {
  return outcome?.ok === false ? outcome.error.kind : outcome && "ok";
}

/** A server under test and a client written out by hand. */
function rawClient(options: ConstructorParameters<typeof CoapPair>[0] = {}) {
  const pair = new CoapPair({ ...options, synchronous: true });
  const raw = new RawPeer(pair.net, { address: "10.0.0.3", port: 1 }, SERVER);
  return { pair, raw };
}

describe("CoAP exchange, the receiving side (RFC 7252, section 4)", () => {
  it("answers within the datagram's listener when the handler is synchronous", () => {
    const { pair, raw } = rawClient();
    pair.server.serve(() => ({ code: Code.Content, payload: utf8("22.3 C") }));
    raw.send({ code: Code.Get, messageId: 0x7d34, coapToken: TOKEN, options: PATH });
    assert.deepEqual(raw.take(), {
      type: MessageType.Ack,
      code: Code.Content,
      messageId: 0x7d34,
      coapToken: TOKEN,
      options: [],
      payload: utf8("22.3 C"),
    });
    assert.equal(pair.clock.nextDue(), undefined, "no timer may stay behind");
  });

  it("answers duplicates from memory for EXCHANGE_LIFETIME, then runs the handler again", () => {
    const { pair, raw } = rawClient();
    let runs = 0;
    pair.server.serve(() => ({ code: Code.Changed, payload: utf8(`${++runs}`) }));
    for (const atMs of [0, 1, 246_999]) {
      pair.clock.advance(atMs - pair.clock.now());
      raw.send({ code: Code.Post, messageId: 5, coapToken: TOKEN });
      assert.deepEqual(raw.take()?.payload, utf8("1"));
    }
    pair.clock.advance(1);
    raw.send({ code: Code.Post, messageId: 5, coapToken: TOKEN });
    assert.deepEqual(raw.take()?.payload, utf8("2"));
    assert.equal(pair.server.counters.duplicates, 2);
  });

  it("takes a message id with another token for a new message: its peer started anew", () => {
    const { pair, raw } = rawClient();
    let runs = 0;
    pair.server.serve(() => ({ code: Code.Changed, payload: utf8(`${++runs}`) }));
    raw.send({ code: Code.Post, messageId: 5, coapToken: TOKEN });
    raw.send({ code: Code.Post, messageId: 5, coapToken: utf8("new") });
    assert.deepEqual(
      raw.received.map(({ payload }) => payload),
      [utf8("1"), utf8("2")],
    );
  });

  it("does anew what it told a peer alone, and comes again after that was forgotten", () => {
    const { pair, raw } = rawClient();
    let runs = 0;
    pair.server.serve(({ path }) => {
      return { code: Code.Content, payload: utf8(`${++runs}`), revocable: path.length === 0 };
    });
    const answers = (code: number, messageId: number, forgotten: Peer, options = NO_OPTIONS): readonly string[] =>
      [1, 2].map((time) => {
        if (time === 2) pair.server.forget(forgotten);
        raw.send({ code, messageId, coapToken: TOKEN, options });
        return Buffer.from(raw.take()?.payload ?? []).toString();
      });
    const [own, other] = [{ address: "10.0.0.3", port: 1 }, { address: "10.0.0.9", port: 9 }]; // biome-ignore format: one line
    assert.deepEqual(answers(Code.Get, 1, own), ["1", "2"]);
    assert.deepEqual(answers(Code.Fetch, 2, own), ["3", "4"]);
    assert.deepEqual(answers(Code.Get, 3, own, PATH), ["5", "5"]);
    assert.deepEqual(answers(Code.Get, 5, other), ["6", "6"]);
  });

  it("answers nobody from memory who could not have asked: a duplicate is the same message to its last byte", () => {
    const { pair, raw } = rawClient();
    let runs = 0;
    pair.server.serve(() => ({ code: Code.Content, payload: utf8(`${++runs}`) }));
    const asked = { code: Code.Get, messageId: 5, coapToken: TOKEN };
    const secret = [textOption(OptionNumber.UriQuery, "grant=00")];
    const guess = [textOption(OptionNumber.UriQuery, "grant=01")];
    raw.send({ ...asked, options: secret });
    raw.send({ ...asked, options: guess });
    raw.send({ ...asked, options: guess, payload: utf8("x") });
    raw.send(asked);
    raw.send({ ...asked, code: Code.Post });
    assert.deepEqual(
      raw.received.map(({ payload }) => payload),
      ["1", "2", "3", "4", "5"].map(utf8),
    );
    assert.equal(pair.server.counters.duplicates, 0);
  });

  it("knows each of the last messages to its last byte, however large those were that it forgot for them", () => {
    const { pair, raw } = rawClient({ server: { limits: { rememberedMessages: 3 } } });
    let runs = 0;
    pair.server.serve(({ payload }) => ({ code: Code.Changed, payload: utf8(`${++runs}: ${payload.byteLength}`) }));
    const sizes = [10, 1_200, 0, 64, 3_000, 1, 1_200, 2_048, 100];
    const send = (index: number, last = 7) => {
      const payload = new Uint8Array(sizes[index] ?? 0).fill(index);
      if (payload.byteLength > 0) payload[payload.byteLength - 1] = last;
      raw.send({ code: Code.Post, messageId: index, payload });
      return new TextDecoder().decode(raw.take()?.payload);
    };
    for (const [index, size] of sizes.entries()) {
      const known = [index - 2, index - 1, index].filter((i) => i >= 0);
      assert.equal(send(index), `${index + 1}: ${size}`);
      for (const i of known) assert.equal(send(i), `${i + 1}: ${sizes[i]}`, `again ${i} behind ${index}`);
    }
    assert.equal(send(8, 8), "10: 100", "its last byte is another");
  });

  it("puts the reply of a slow handler to no message that came after its own was forgotten", async () => {
    const { pair, raw } = rawClient({ server: { limits: { rememberedMessages: 2 } } });
    let finish: () => void = () => undefined;
    pair.server.serve(({ payload }) => {
      if (payload.byteLength > 0) return { code: Code.Changed, payload };
      return new Promise((resolve) => {
        finish = () => resolve({ code: Code.Content, payload: utf8("slow") });
      });
    });
    raw.send({ code: Code.Post, messageId: 1 });
    const quick = [2, 3].map((messageId) => ({ code: Code.Post, messageId, payload: utf8(`quick ${messageId}`) }));
    for (const message of quick) raw.send(message);
    finish();
    await Promise.resolve();
    await Promise.resolve();
    for (const message of quick) raw.send(message);
    assert.deepEqual(
      raw.received.map(({ messageId, payload }) => [messageId, new TextDecoder().decode(payload)]),
      [[2, "quick 2"], [3, "quick 3"], [1, "slow"], [2, "quick 2"], [3, "quick 3"]], // biome-ignore format: in order
    );
    assert.equal(pair.server.counters.duplicates, 2);
  });

  it("tells peers with the same message id apart by address and port", () => {
    const { pair, raw } = rawClient();
    const other = new RawPeer(pair.net, { address: "10.0.0.3", port: 2 }, SERVER);
    let runs = 0;
    pair.server.serve(() => ({ code: Code.Changed, payload: utf8(`${++runs}`) }));
    raw.send({ code: Code.Post, messageId: 5 });
    other.send({ code: Code.Post, messageId: 5 });
    assert.equal(runs, 2);
    assert.deepEqual(other.take()?.payload, utf8("2"));
  });

  it("runs a slow handler once, acknowledges after a while, responds separately and repeats until that is acknowledged", async () => {
    const { pair, raw } = rawClient();
    let runs = 0;
    let finish: (text: string) => void = () => undefined;
    pair.server.serve(() => {
      runs++;
      return new Promise((resolve) => {
        finish = (text) => resolve({ code: Code.Content, payload: utf8(text) });
      });
    });
    raw.send({ code: Code.Get, messageId: 9, coapToken: TOKEN });
    raw.send({ code: Code.Get, messageId: 9, coapToken: TOKEN });
    assert.equal(raw.take(), undefined);
    pair.clock.advance(500);
    assert.deepEqual(raw.take(), {
      type: MessageType.Ack,
      code: 0,
      messageId: 9,
      coapToken: new Uint8Array(0),
      options: [],
      payload: new Uint8Array(0),
    });
    raw.send({ code: Code.Get, messageId: 9, coapToken: TOKEN });
    assert.equal(raw.take()?.type, MessageType.Ack, "a duplicate is acknowledged again");
    finish("late");
    await Promise.resolve();
    await Promise.resolve();
    const separate = raw.take();
    assert.equal(separate?.type, MessageType.Con);
    assert.deepEqual(separate?.coapToken, TOKEN);
    assert.deepEqual(separate?.payload, utf8("late"));
    pair.clock.advance(3_000);
    assert.deepEqual(raw.take(), separate, "repeated");
    raw.send({ type: MessageType.Ack, code: 0, messageId: separate?.messageId ?? 0 });
    pair.clock.advance(100_000);
    assert.equal(raw.take(), undefined);
    assert.equal(runs, 1);
  });

  it("piggybacks what an asynchronous handler says in time", async () => {
    const { pair, raw } = rawClient();
    pair.server.serve(async () => ({ code: Code.Content }));
    raw.send({ code: Code.Get, messageId: 9, coapToken: TOKEN });
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(raw.take()?.type, MessageType.Ack);
    assert.equal(pair.clock.nextDue(), undefined);
  });

  it("gives up a separate response after MAX_RETRANSMIT or on RST", async () => {
    const { pair, raw } = rawClient();
    pair.server.serve(() => new Promise((resolve) => pair.clock.after(600, () => resolve({ code: Code.Content }))));
    raw.send({ code: Code.Get, messageId: 9, coapToken: TOKEN });
    pair.clock.advance(600);
    await Promise.resolve();
    await Promise.resolve();
    pair.clock.advance(200_000);
    assert.equal(raw.received.length, 1 + 5, "the empty ACK and five sendings");
    raw.send({ code: Code.Get, messageId: 10, coapToken: TOKEN });
    pair.clock.advance(600);
    await Promise.resolve();
    await Promise.resolve();
    raw.send({ type: MessageType.Rst, code: 0, messageId: raw.received.at(-1)?.messageId ?? 0 });
    pair.clock.advance(200_000);
    assert.equal(raw.received.length, 1 + 5 + 2);
  });

  it("answers a non-confirmable request so, and its duplicate not at all", () => {
    const { pair, raw } = rawClient();
    pair.server.serve(() => ({ code: Code.Content }));
    raw.send({ type: MessageType.Non, code: Code.Get, messageId: 9, coapToken: TOKEN });
    raw.send({ type: MessageType.Non, code: Code.Get, messageId: 9, coapToken: TOKEN });
    assert.deepEqual(
      raw.received.map(({ type, coapToken }) => [type, coapToken]),
      [[MessageType.Non, TOKEN]],
    );
  });

  it("answers a ping with RST and tells that the peer was heard", () => {
    const heard: number[] = [];
    const { raw } = rawClient({ server: { onHeard: (peer) => heard.push(peer.port) } });
    raw.send({ code: Code.Empty, messageId: 77 });
    assert.deepEqual(
      raw.received.map(({ type, code, messageId }) => [type, code, messageId]),
      [[MessageType.Rst, 0, 77]],
    );
    assert.deepEqual(heard, [1]);
  });

  it("tells what a peer says of itself from answers, and from its own ping that comes back", () => {
    const heard: boolean[] = [];
    const { pair, raw } = rawClient({ server: { onHeard: (_peer, ofItself) => heard.push(ofItself) } });
    pair.server.serve(() => ({ code: Code.Content }));
    raw.send({ code: Code.Get, messageId: 1 });
    raw.send({ code: Code.Empty, messageId: 2 });
    assert.deepEqual(heard.splice(0), [true, true]);
    for (const type of [MessageType.Ack, MessageType.Rst]) raw.send({ type, code: Code.Empty, messageId: 3 });
    raw.send({ type: MessageType.Non, code: Code.Content, messageId: 4 });
    assert.deepEqual(heard.splice(0), [false, false, false]);
    pair.server.ping({ address: "10.0.0.3", port: 1 }).catch(() => undefined);
    raw.send({ code: Code.Empty, messageId: raw.received.at(-1)?.messageId ?? assert.fail("no ping") });
    assert.deepEqual(heard, [false]);
  });

  it("resets malformed confirmable messages, passes over all other malformed ones", () => {
    const heard: number[] = [];
    const { pair, raw } = rawClient({ server: { onHeard: (peer) => heard.push(peer.port) } });
    pair.server.serve(() => ({ code: Code.Content }));
    const send = (hex: string) => raw.sendBytes(fromHex(hex.replaceAll(" ", "")) ?? new Uint8Array(0));
    send("49 01 7d34 00");
    send("40 01 7d35 f0");
    send("40 21 7d36");
    send("40 01 7d37 ff");
    assert.deepEqual(
      raw.received.map(({ type, messageId }) => [type, messageId]),
      [0x7d34, 0x7d35, 0x7d36, 0x7d37].map((id) => [MessageType.Rst, id]),
    );
    raw.received.length = 0;
    for (const hex of [
      "",
      "40",
      "40 01 7d",
      "59 01 7d34 00",
      "6f 01 7d34",
      "7f 01 7d34",
      "80 01 7d34",
      "00 01 7d34",
      "c0 01 7d34",
    ])
      send(hex);
    assert.deepEqual(raw.received, []);
    assert.deepEqual(heard, []);
    assert.equal(pair.server.counters.malformed, 13);
  });

  it("resets a confirmable response that nobody asked for, ignores stray ACK, RST, NON and requests on them", () => {
    const { pair, raw } = rawClient();
    pair.server.serve(() => ({ code: Code.Content }));
    raw.send({ code: Code.Content, messageId: 1, coapToken: TOKEN });
    assert.equal(raw.take()?.type, MessageType.Rst);
    raw.send({ type: MessageType.Non, code: Code.Content, messageId: 2, coapToken: TOKEN });
    raw.send({ type: MessageType.Ack, code: Code.Content, messageId: 3, coapToken: TOKEN });
    raw.send({ type: MessageType.Rst, code: Code.Content, messageId: 4, coapToken: TOKEN });
    raw.send({ type: MessageType.Ack, code: Code.Empty, messageId: 5 });
    raw.send({ type: MessageType.Rst, code: Code.Empty, messageId: 6 });
    raw.send({ type: MessageType.Ack, code: Code.Get, messageId: 7 });
    raw.send({ type: MessageType.Rst, code: Code.Get, messageId: 8 });
    raw.send({ type: MessageType.Non, code: Code.Empty, messageId: 9 });
    assert.equal(raw.take(), undefined);
  });

  it("resets requests while nothing serves", () => {
    const { raw } = rawClient();
    raw.send({ code: Code.Get, messageId: 1 });
    assert.equal(raw.take()?.type, MessageType.Rst);
  });

  it("answers 5.03 over the number of handlers that may run, and remembers a bounded number of messages", () => {
    const { pair, raw } = rawClient({ server: { limits: { runningRequests: 2, rememberedMessages: 3 } } });
    let runs = 0;
    pair.server.serve(() => {
      runs++;
      return new Promise(() => undefined);
    });
    for (let id = 1; id <= 3; id++) raw.send({ code: Code.Get, messageId: id });
    assert.equal(runs, 2);
    assert.deepEqual(
      raw.received.map(({ code, messageId }) => [code, messageId]),
      [[Code.ServiceUnavailable, 3]],
    );
  });

  it("counts separate responses that nobody acknowledges among the running requests, until they end", async () => {
    const { pair } = rawClient({ server: { limits: { runningRequests: 3, peers: 4 } } });
    const waiting: (() => void)[] = [];
    pair.server.serve(
      () => new Promise((resolve) => waiting.push(() => resolve({ code: Code.Content, payload: TOKEN }))),
    );
    let port = 0;
    const ask = () => {
      const peer = new RawPeer(pair.net, { address: "10.0.1.1", port: ++port }, SERVER);
      peer.send({ code: Code.Get, messageId: port });
      return peer;
    };
    const answerAll = async () => {
      pair.clock.advance(600);
      for (const go of waiting.splice(0)) go();
      await Promise.resolve();
      await Promise.resolve();
    };
    const holdings = () => {
      const { "running requests": running, "messages under way": sent } = pair.server.holdings();
      return [running, sent];
    };
    const asked = [ask(), ask(), ask()];
    await answerAll();
    assert.deepEqual(holdings(), [3, 3]);
    for (let i = 0; i < 20; i++) assert.equal(ask().take()?.code, Code.ServiceUnavailable);
    assert.equal(pair.server.holdings()["peers"], 4);
    const [one, two] = asked;
    one?.send({ type: MessageType.Ack, code: Code.Empty, messageId: one.received.at(-1)?.messageId ?? 0 });
    two?.send({ type: MessageType.Rst, code: Code.Empty, messageId: two.received.at(-1)?.messageId ?? 0 });
    assert.deepEqual(holdings(), [1, 1]);
    assert.equal(ask().take(), undefined, "its handler runs");
    await answerAll();
    pair.clock.advance(200_000);
    assert.deepEqual(holdings(), [0, 0]);
  });

  it("has no more peers than its limit again once those above it are not in use any more", () => {
    const { pair } = rawClient({ server: { limits: { peers: 4 } } });
    pair.server.serve(() => ({ code: Code.Content }));
    const peers = Array.from({ length: 9 }, (_, i) => ({ address: "10.0.1.1", port: i + 1 }));
    const releases = peers.map((peer) => pair.server.hold(peer));
    assert.equal(pair.server.holdings()["peers"], 9);
    for (const release of releases) release();
    new RawPeer(pair.net, { address: "10.0.1.2", port: 1 }, SERVER).send({ code: Code.Get, messageId: 1 });
    assert.equal(pair.server.holdings()["peers"], 4);
  });

  it("forgets the peer idle longest, never one that is waited for", async () => {
    const { pair, raw } = rawClient({ server: { limits: { peers: 4 } } });
    let finish: () => void = () => undefined;
    pair.server.serve(({ path }) =>
      path[0] === "slow"
        ? new Promise((resolve) => {
            finish = () => resolve({ code: Code.Content });
          })
        : { code: Code.Content },
    );
    raw.send({ code: Code.Get, messageId: 1, options: [textOption(OptionNumber.UriPath, "slow")] });
    for (let port = 10; port < 30; port++)
      new RawPeer(pair.net, { address: "10.0.0.4", port }, SERVER).send({ code: Code.Get, messageId: 1 });
    finish();
    await Promise.resolve();
    await Promise.resolve();
    assert.equal(raw.take()?.code, Code.Content);
  });

  it("says nothing after it was closed", async () => {
    const { pair, raw } = rawClient();
    pair.server.serve(async () => ({ code: Code.Content }));
    raw.send({ code: Code.Get, messageId: 1 });
    pair.server.close();
    raw.send({ code: Code.Get, messageId: 2 });
    await Promise.resolve();
    await Promise.resolve();
    assert.deepEqual(raw.received, []);
    assert.equal(pair.clock.nextDue(), undefined);
  });

  it("says nothing more when a handler closes it, whether it answers then or later", async () => {
    for (const later of [false, true]) {
      const { pair, raw } = rawClient();
      const reply = { code: Code.Content };
      pair.server.serve(() => {
        pair.server.close();
        return later ? Promise.resolve(reply) : reply;
      });
      raw.send({ code: Code.Get, messageId: 1 });
      await Promise.resolve();
      await Promise.resolve();
      assert.deepEqual(raw.received, []);
      assert.equal(pair.clock.nextDue(), undefined);
    }
  });
});

/** A client under test and a server written out by hand, over a synchronous net. */
function rawServer(options: ConstructorParameters<typeof CoapPair>[0] = {}) {
  const pair = new CoapPair({ ...options, synchronous: true });
  pair.server.close();
  const peer = { address: "10.0.0.9", port: 5683 };
  const raw = new RawPeer(pair.net, peer, CLIENT);
  const outcomes: CoapOutcome[] = [];
  const start = (request: Partial<Parameters<typeof pair.client.start>[1]> = {}) =>
    pair.client.start(peer, { method: "GET", path: "/a", ...request }, (outcome) => outcomes.push(outcome));
  return { pair, raw, peer, outcomes, start };
}

describe("CoAP exchange, the asking side (RFC 7252, sections 4.2 and 5.3)", () => {
  it("repeats with doubled waits between 2 and 3 seconds, five sendings in all, then times out", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start();
    const times = [pair.clock.now()];
    for (let due = pair.clock.nextDue(); due !== undefined; due = pair.clock.nextDue()) {
      pair.clock.advance(due - pair.clock.now());
      times.push(pair.clock.now());
    }
    assert.equal(raw.received.length, 5);
    for (const message of raw.received) assert.deepEqual(message, raw.received[0]);
    const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    const [first = 0] = waits;
    assert.ok(first > 2_000 && first < 3_000, `${first}`);
    for (const [i, wait] of waits.entries()) assert.ok(Math.abs(wait - first * 2 ** i) < 1e-6);
    assert.equal(waits.length, 5);
    const [outcome] = outcomes;
    assert.ok(outcome?.ok === false && outcome.error.kind === "timeout");
    assert.match(outcome.error.message, /^GET \/a at 10\.0\.0\.9:5683: /);
  });

  it("keeps the API v0 token's timing when told so: every second, five sendings, failure after five seconds", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start({ transmission: { ackTimeoutMs: 1_000, ackRandomFactor: 1, backoffFactor: 1 } });
    pair.clock.advance(4_999);
    assert.equal(raw.received.length, 5);
    assert.equal(outcomes.length, 0);
    pair.clock.advance(1);
    assert.equal(raw.received.length, 5);
    assert.equal(resultOf(outcomes[0]), "timeout");
  });

  it("uses 8-byte tokens and message ids that count on", () => {
    const { raw, start } = rawServer({ client: { limits: { nstart: 2 } } });
    start();
    start();
    const [first, second] = raw.received;
    assert.ok(first && second);
    assert.equal(first.coapToken.byteLength, 8);
    assert.notDeepEqual(first.coapToken, second.coapToken);
    assert.equal(second.messageId, (first.messageId + 1) % 0x1_0000);
  });

  it("waits for a separate response after the empty ACK, acknowledges it and its duplicates", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start();
    const asked = raw.take();
    raw.send({ type: MessageType.Ack, code: 0, messageId: asked?.messageId ?? 0 });
    pair.clock.advance(60_000);
    assert.equal(raw.take(), undefined, "not repeated once acknowledged");
    for (let i = 0; i < 2; i++) {
      raw.send({ code: Code.Content, messageId: 4_000, coapToken: asked?.coapToken ?? TOKEN, payload: utf8("x") });
      const ack = raw.take();
      assert.deepEqual([ack?.type, ack?.code, ack?.messageId], [MessageType.Ack, 0, 4_000]);
    }
    assert.equal(outcomes.length, 1);
    assert.ok(outcomes[0]?.ok);
    assert.deepEqual(outcomes[0].response.payload, utf8("x"));
    assert.equal(pair.clock.nextDue(), undefined);
  });

  it("takes a separate response for the lost ACK as well", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start();
    raw.send({
      type: MessageType.Non,
      code: Code.Content,
      messageId: 4_000,
      coapToken: raw.take()?.coapToken ?? TOKEN,
    });
    assert.equal(resultOf(outcomes[0]), "ok");
    pair.clock.advance(100_000);
    assert.equal(raw.take(), undefined);
  });

  it("gives up when the separate response does not come", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start({ transmission: { responseTimeoutMs: 10_000 } });
    raw.send({ type: MessageType.Ack, code: 0, messageId: raw.take()?.messageId ?? 0 });
    pair.clock.advance(9_999);
    assert.equal(outcomes.length, 0);
    pair.clock.advance(1);
    assert.equal(resultOf(outcomes[0]), "timeout");
  });

  it("sends a non-confirmable request once", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start({ confirmable: false, transmission: { responseTimeoutMs: 5_000 } });
    assert.equal(raw.received[0]?.type, MessageType.Non);
    pair.clock.advance(5_000);
    assert.equal(raw.received.length, 1);
    assert.equal(resultOf(outcomes[0]), "timeout");
  });

  it("fails on RST", () => {
    const { raw, outcomes, start } = rawServer();
    start();
    raw.send({ type: MessageType.Rst, code: 0, messageId: raw.take()?.messageId ?? 0 });
    assert.equal(resultOf(outcomes[0]), "reset");
  });

  it("takes replies only from the asked peer, with its message id and its token", () => {
    const { pair, raw, outcomes, start } = rawServer();
    start();
    const { messageId, coapToken } = raw.take() ?? { messageId: 0, coapToken: TOKEN };
    const good = { type: MessageType.Ack, code: Code.Content, messageId, coapToken };
    for (const local of [
      { address: "10.0.0.9", port: 5684 },
      { address: "10.0.0.8", port: 5683 },
    ]) {
      const stranger = new RawPeer(pair.net, local, CLIENT);
      stranger.send(good);
      stranger.send({ ...good, type: MessageType.Non });
      stranger.send({ type: MessageType.Rst, code: 0, messageId });
      assert.equal(stranger.received.length, 0);
    }
    raw.send({ ...good, coapToken: TOKEN });
    raw.send({ ...good, messageId: (messageId + 1) % 0x1_0000 });
    assert.deepEqual(outcomes, []);
    raw.send(good);
    assert.equal(resultOf(outcomes[0]), "ok");
  });

  it("rejects a response with a critical option it does not know", () => {
    const { raw, outcomes, start } = rawServer();
    const odd = [{ number: 65_001, value: new Uint8Array(0) }];
    start();
    raw.send({
      type: MessageType.Ack,
      code: Code.Content,
      messageId: raw.received[0]?.messageId ?? 0,
      coapToken: raw.take()?.coapToken ?? TOKEN,
      options: odd,
    });
    start();
    raw.send({ code: Code.Content, messageId: 9, coapToken: raw.take()?.coapToken ?? TOKEN, options: odd });
    assert.equal(raw.take()?.type, MessageType.Rst);
    assert.deepEqual(outcomes.map(resultOf), ["protocol", "protocol"]);
  });

  it("asks one thing at a time of one peer (NSTART), others at once", () => {
    const { pair, raw, outcomes, start } = rawServer();
    const other = new RawPeer(pair.net, { address: "10.0.0.7", port: 5683 }, CLIENT);
    start();
    start();
    const cancelThird = start();
    start();
    pair.client.start({ address: "10.0.0.7", port: 5683 }, { method: "GET", path: "" }, () => undefined);
    assert.equal(other.received.length, 1);
    assert.equal(raw.received.length, 1);
    cancelThird();
    const answer = (type: MessageType) => {
      const asked = raw.take();
      raw.send({
        type,
        code: type === MessageType.Ack ? Code.Content : 0,
        messageId: asked?.messageId ?? 0,
        coapToken: type === MessageType.Ack ? (asked?.coapToken ?? TOKEN) : new Uint8Array(0),
      });
    };
    answer(MessageType.Ack);
    assert.equal(raw.received.length, 1);
    answer(MessageType.Rst);
    assert.equal(raw.received.length, 1);
    pair.clock.advance(200_000);
    assert.deepEqual(outcomes.map(resultOf), ["ok", "reset", "timeout"]);
  });

  it("lets the next request begin only when the one before is over, acknowledged or not", () => {
    const { raw, start } = rawServer();
    start();
    start();
    const asked = raw.take();
    raw.send({ type: MessageType.Ack, code: 0, messageId: asked?.messageId ?? 0 });
    assert.equal(raw.received.length, 0);
    raw.send({ code: Code.Content, messageId: 4_000, coapToken: asked?.coapToken ?? TOKEN });
    assert.deepEqual(
      raw.received.map(({ type }) => type),
      [MessageType.Ack, MessageType.Con],
    );
  });

  it("bounds the open requests and tells so after start returned", () => {
    const { pair, outcomes, start } = rawServer({ client: { limits: { openRequests: 2 } } });
    start();
    start();
    start();
    assert.deepEqual(outcomes, []);
    pair.clock.advance(0);
    assert.equal(resultOf(outcomes[0]), "busy");
  });

  it("never calls back before start returned, even over a synchronous net", () => {
    const pair = new CoapPair({ synchronous: true });
    pair.server.serve(() => ({ code: Code.Content }));
    let returned = false;
    let done = false;
    pair.client.start(SERVER, { method: "GET", path: "/" }, () => {
      assert.ok(returned);
      done = true;
    });
    returned = true;
    pair.clock.advance(0);
    assert.ok(done);
  });

  it("forgets a cancelled request: no repeats, no outcome, RST to what still comes", () => {
    const { pair, raw, outcomes, start } = rawServer();
    const cancel = start();
    const asked = raw.take();
    cancel();
    cancel();
    pair.clock.advance(200_000);
    assert.equal(raw.take(), undefined);
    raw.send({ code: Code.Content, messageId: 1, coapToken: asked?.coapToken ?? TOKEN });
    assert.equal(raw.take()?.type, MessageType.Rst);
    assert.deepEqual(outcomes, []);
  });

  it("ends a request at its own deadline", () => {
    const { pair, outcomes, start } = rawServer();
    start({ timeoutMs: 700 });
    pair.clock.advance(700);
    assert.equal(resultOf(outcomes[0]), "timeout");
    assert.equal(pair.clock.nextDue(), undefined);
  });

  it("resolves and rejects promises, by signal and on close", async () => {
    const { pair, raw, peer } = rawServer();
    const abort = new AbortController();
    const cancelled = pair.client.request(peer, { method: "GET", path: "/a", signal: abort.signal });
    abort.abort();
    await assert.rejects(cancelled, isCoapError("cancelled"));
    await assert.rejects(
      pair.client.request(peer, { method: "GET", path: "/a", signal: abort.signal }),
      isCoapError("cancelled"),
    );
    const closed = pair.client.request(peer, { method: "GET", path: "/a" });
    const ping = pair.client.ping(peer);
    pair.client.close();
    await assert.rejects(closed, isCoapError("cancelled"));
    await assert.rejects(ping, isCoapError("cancelled"));
    await assert.rejects(pair.client.ping(peer), isCoapError("cancelled"));
    assert.equal(pair.clock.nextDue(), undefined);
    assert.equal(raw.received.length, 3);
    const late = pair.client.request(peer, { method: "GET", path: "/a" });
    pair.clock.advance(0);
    await assert.rejects(late, isCoapError("cancelled"));
  });

  it("pings", async () => {
    const pair = new CoapPair({ synchronous: true });
    const alive = pair.client.ping(SERVER);
    await alive;
    assert.deepEqual(
      pair.net.sent.map(({ datagram }) => toHex(datagram).slice(0, 4)),
      ["4000", "7000"],
    );
    const dead = pair.client.ping({ address: "10.0.0.99", port: 5683 }, { maxRetransmit: 0 });
    pair.clock.advance(3_000);
    await assert.rejects(dead, isCoapError("timeout"));
  });
});
