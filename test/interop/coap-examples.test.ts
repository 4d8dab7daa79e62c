/**
 * Examples of RFC 7252, appendix A, and RFC 7959, section 3, that tell a course of messages. Those that are bytes or single blocks:
 * test/shared/coap/message.test.ts and blockwise.test.ts.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { utf8 } from "../../shared/bytes/index.ts";
import { blockBytes, blockOption, readBlock } from "../../shared/coap/block-option.ts";
import {
  type ClientRequest,
  type CoapMessage,
  type CoapOutcome,
  type CoapReply,
  Code,
  codeText,
  decodeMessage,
  MessageType,
  OptionNumber,
} from "../../shared/coap/index.ts";
import { CLIENT, CoapPair, RawPeer, SERVER } from "../support/coap-pair.ts";
import { seededRandom } from "../support/random.ts";

const TEMPERATURE: CoapReply = { code: Code.Content, payload: utf8("22.3 C") };
const BODY = seededRandom(1, "coap examples").bytes(300);
const TYPES = ["CON", "NON", "ACK", "RST"];

/** "> CON 0.01 2:1/0/128": to the server, its blocks as RFC 7959 writes them. */
function line(toServer: boolean, { type, code, options }: CoapMessage): string {
  const blocks = [OptionNumber.Block2, OptionNumber.Block1].flatMap((number) => {
    const block = readBlock(options, number);
    if (block === undefined || block === "malformed") return [];
    const size = blockBytes(block.exponent);
    return `${number === OptionNumber.Block1 ? 1 : 2}:${block.number}/${block.more ? 1 : 0}/${size}`;
  });
  return [toServer ? ">" : "<", TYPES[type], codeText(code), ...blocks].join(" ");
}

/** One request of our client to our server, in which the n-th message (from 1) is lost. */
async function course(reply: CoapReply | { afterMs: number }, asked: Partial<ClientRequest>, lost = 0) {
  const pair = new CoapPair({ server: { limits: { blockExponent: 3 } } });
  pair.net.fate = () => (pair.net.sent.length === lost ? [] : [0]);
  pair.server.serve(() =>
    "code" in reply ? reply : new Promise((resolve) => pair.clock.after(reply.afterMs, () => resolve(TEMPERATURE))),
  );
  const outcomes: CoapOutcome[] = [];
  pair.client.start(SERVER, { method: "GET", path: "/temperature", ...asked }, (outcome) => outcomes.push(outcome));
  while (pair.clock.step(pair.clock.now() + 60_000)) await setImmediate();
  const [outcome] = outcomes;
  assert.ok(outcome?.ok, "no response");
  const messages = pair.net.sent.map(({ datagram }) => decodeMessage(datagram));
  const lines = pair.net.sent.map(({ to }, index) => line(to.port === SERVER.port, messages[index] ?? assert.fail()));
  return { lines, messages, pair, payload: outcome.response.payload };
}

describe("RFC 7252, appendix A, as courses of messages", () => {
  it("figures 16 and 17: confirmable request, piggybacked response", async () => {
    const { lines, messages, payload } = await course(TEMPERATURE, {});
    assert.deepEqual(lines, ["> CON 0.01", "< ACK 2.05"]);
    assert.equal(messages[1]?.messageId, messages[0]?.messageId);
    assert.deepEqual(payload, TEMPERATURE.payload);
  });

  it("figure 18: the request is lost and sent again", async () => {
    const { lines, messages } = await course(TEMPERATURE, {}, 1);
    assert.deepEqual(lines, ["> CON 0.01", "> CON 0.01", "< ACK 2.05"]);
    assert.deepEqual(messages[1], messages[0]);
  });

  it("figure 19: the response is lost and sent again", async () => {
    const { lines, messages } = await course(TEMPERATURE, {}, 2);
    assert.deepEqual(lines, ["> CON 0.01", "< ACK 2.05", "> CON 0.01", "< ACK 2.05"]);
    assert.deepEqual(messages[3], messages[1]);
  });

  it("figure 20: a separate response", async () => {
    const { lines, messages } = await course({ afterMs: 5_000 }, {});
    assert.deepEqual(lines, ["> CON 0.01", "< ACK 0.00", "< CON 2.05", "> ACK 0.00"]);
    assert.deepEqual(messages[2]?.coapToken, messages[0]?.coapToken);
    assert.equal(messages[3]?.messageId, messages[2]?.messageId);
  });

  it("figure 21: a separate response that the client knows nothing of", async () => {
    const { messages, pair } = await course({ afterMs: 5_000 }, {});
    const stranger = new RawPeer(pair.net, { address: "10.0.0.7", port: 5683 }, CLIENT);
    const response = messages[2] ?? assert.fail("no response");
    stranger.send({ ...response, type: MessageType.Con });
    pair.clock.advance(0);
    const reset = stranger.take();
    assert.equal(reset?.type, MessageType.Rst);
    assert.equal(reset.messageId, response.messageId);
  });

  it("figure 22: neither is confirmable", async () => {
    const { lines, messages } = await course(TEMPERATURE, { confirmable: false });
    assert.deepEqual(lines, ["> NON 0.01", "< NON 2.05"]);
    assert.deepEqual(messages[1]?.coapToken, messages[0]?.coapToken);
  });
});

describe("RFC 7959, section 3, as courses of messages", () => {
  const large: CoapReply = { code: Code.Content, payload: BODY };

  for (const [what, lost, again] of [
    ["figure 5: a request for a later block is lost", 3, ["> CON 0.01 2:1/0/128"]],
    ["figure 6: a later block is lost", 4, ["< ACK 2.05 2:1/1/128", "> CON 0.01 2:1/0/128"]],
  ] as const) {
    it(`${what}; in blocks as the server has chosen`, async () => {
      const { lines, payload } = await course(large, {}, lost);
      assert.deepEqual(lines, [
        "> CON 0.01",
        "< ACK 2.05 2:0/1/128",
        "> CON 0.01 2:1/0/128",
        ...again,
        "< ACK 2.05 2:1/1/128",
        "> CON 0.01 2:2/0/128",
        "< ACK 2.05 2:2/0/128",
      ]);
      assert.deepEqual(payload, BODY);
    });
  }

  it("figure 8: PUT to a server that takes each block for itself", () => {
    const pair = new CoapPair();
    const server = { address: "10.0.0.9", port: 5683 };
    const raw = new RawPeer(pair.net, server, CLIENT);
    const lines: string[] = [];
    raw.onMessage = (request) => {
      lines.push(line(true, request));
      const block = readBlock(request.options, OptionNumber.Block1);
      assert.ok(block !== undefined && block !== "malformed");
      const options = [blockOption(OptionNumber.Block1, { ...block, more: false })];
      const { messageId, coapToken } = request;
      raw.send({ type: MessageType.Ack, code: Code.Changed, messageId, coapToken, options });
    };
    const outcomes: CoapOutcome[] = [];
    const asked = { method: "PUT", path: "/options", payload: BODY, blockSize: 128 } as const;
    pair.client.start(server, asked, (outcome) => outcomes.push(outcome));
    pair.clock.advance(60_000);
    assert.ok(outcomes[0]?.ok);
    assert.equal(outcomes[0].response.code, Code.Changed);
    assert.deepEqual(lines, ["> CON 0.03 1:0/1/128", "> CON 0.03 1:1/1/128", "> CON 0.03 2:0/0/128 1:2/0/128"]);
  });

  it("section 3.3: POST in blocks, answered in blocks, from the first request to the last response", async () => {
    const { lines, payload } = await course(
      { code: Code.Changed, payload: BODY },
      { method: "POST", path: "/soap", payload: BODY, blockSize: 128 },
    );
    assert.deepEqual(lines, [
      "> CON 0.02 1:0/1/128",
      "< ACK 2.31 1:0/1/128",
      "> CON 0.02 1:1/1/128",
      "< ACK 2.31 1:1/1/128",
      "> CON 0.02 2:0/0/128 1:2/0/128",
      "< ACK 2.04 2:0/1/128 1:2/0/128",
      "> CON 0.02 2:1/0/128",
      "< ACK 2.04 2:1/1/128",
      "> CON 0.02 2:2/0/128",
      "< ACK 2.04 2:2/0/128",
    ]);
    assert.deepEqual(payload, BODY);
  });

  /** Figures 13 and 14 are of RFC 7641, which has a server that knows no Observe answer as if it were not there. */
  for (const [what, asked] of [
    ["figure 13: Observe", []],
    [
      "figure 14: Observe with early negotiation",
      [blockOption(OptionNumber.Block2, { number: 0, more: false, exponent: 3 })],
    ],
  ] as const) {
    it(`${what}: our server gives the representation in blocks, once, and promises no more`, () => {
      const pair = new CoapPair({ server: { limits: { blockExponent: 3 } } });
      pair.server.serve(() => large);
      const raw = new RawPeer(pair.net, { address: "10.0.0.8", port: 5683 }, SERVER);
      const observe = { number: OptionNumber.Observe, value: new Uint8Array(0) };
      raw.send({ code: Code.Get, messageId: 1, options: [observe, ...asked] });
      pair.clock.advance(0);
      for (const number of [1, 2]) {
        const block = blockOption(OptionNumber.Block2, { number, more: false, exponent: 3 });
        raw.send({ code: Code.Get, messageId: 1 + number, options: [block] });
        pair.clock.advance(0);
      }
      pair.clock.advance(120_000);
      assert.deepEqual(
        raw.received.map((message) => line(false, message)),
        ["< ACK 2.05 2:0/1/128", "< ACK 2.05 2:1/1/128", "< ACK 2.05 2:2/0/128"],
      );
      assert.deepEqual(Buffer.concat(raw.received.map(({ payload }) => payload)), Buffer.from(BODY));
      assert.ok(raw.received.every(({ options }) => options.every(({ number }) => number !== OptionNumber.Observe)));
    });
  }

  it("figure 13, the other side: our client, which did not ask for it, refuses a notification with RST", () => {
    const pair = new CoapPair();
    const server = new RawPeer(pair.net, { address: "10.0.0.9", port: 5683 }, CLIENT);
    const outcomes: CoapOutcome[] = [];
    server.onMessage = ({ type, messageId, coapToken, code }) => {
      if (code !== Code.Get || type !== MessageType.Con) return;
      const observe = { number: OptionNumber.Observe, value: Uint8Array.of(1) };
      const response = { coapToken, code: Code.Content, payload: utf8("22.3 C"), options: [observe] };
      server.send({ type: MessageType.Ack, messageId, ...response });
      server.send({ type: MessageType.Con, messageId: 0x7000, ...response, payload: utf8("22.4 C") });
    };
    pair.client.start({ address: "10.0.0.9", port: 5683 }, { method: "GET", path: "/t" }, (done) =>
      outcomes.push(done),
    );
    pair.clock.advance(1_000);
    assert.ok(outcomes.length === 1 && outcomes[0]?.ok);
    assert.deepEqual(outcomes[0].response.payload, utf8("22.3 C"));
    assert.deepEqual(
      server.received.slice(1).map(({ type, messageId }) => [type, messageId]),
      [[MessageType.Rst, 0x7000]],
    );
  });
});
