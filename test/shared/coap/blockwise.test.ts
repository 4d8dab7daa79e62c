import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { blockOption, readBlock } from "../../../shared/coap/block-option.ts";
import {
  type BlockSize,
  type CoapMessage,
  type CoapOption,
  type CoapOutcome,
  type CoapRequest,
  Code,
  codeText,
  MessageType,
  OptionNumber,
  optionUint,
  optionValue,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { CLIENT, CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";
import { seededRandom } from "../../support/random.ts";

const BODY = seededRandom(1, "blocks").bytes(1_000);

/** A block as RFC 7959 writes it: "2:0/1/128" is Block2, number 0, more, 128 bytes. */
function block(text: string): CoapOption {
  const [option = "", number, more, size] = text.split(/[:/]/);
  const exponent = Math.log2(Number(size)) - 4;
  const value = { number: Number(number), more: more === "1", exponent };
  return blockOption(option === "1" ? OptionNumber.Block1 : OptionNumber.Block2, value);
}

function blocksOf(message: CoapMessage): string {
  const texts: string[] = [];
  for (const [name, number] of [
    ["2", OptionNumber.Block2],
    ["1", OptionNumber.Block1],
  ] as const) {
    const value = readBlock(message.options, number);
    if (value !== undefined && value !== "malformed") {
      texts.push(`${name}:${value.number}/${value.more ? 1 : 0}/${16 << value.exponent}`);
    }
  }
  return texts.join(", ");
}

/** One exchange on a line: method, blocks; response code, blocks. */
function lines(messages: readonly CoapMessage[]): readonly string[] {
  return messages.map((message) => `${codeText(message.code)} ${blocksOf(message)}`.trim());
}

function served(reply: { code: number; payload?: Uint8Array }, limits = {}) {
  const pair = new CoapPair({ synchronous: true, server: { limits } });
  const raw = new RawPeer(pair.net, { address: "10.0.0.3", port: 1 }, SERVER);
  const requests: CoapRequest[] = [];
  pair.server.serve((request) => {
    requests.push(request);
    return reply;
  });
  let messageId = 1234;
  const ask = (
    code: number,
    options: readonly CoapOption[],
    payload: Uint8Array = new Uint8Array(0),
    coapToken: Uint8Array = utf8("t"),
  ) => {
    raw.received.length = 0;
    raw.send({
      code,
      messageId: messageId++,
      coapToken,
      options: [textOption(OptionNumber.UriPath, "r"), ...options],
      payload,
    });
    const [answer] = raw.received;
    assert.ok(answer !== undefined && raw.received.length === 1);
    return answer;
  };
  return { pair, raw, requests, ask };
}

describe("Block-wise transfer, server (RFC 7959, section 3)", () => {
  const payload = BODY.slice(0, 300);

  it("figure 2: GET in blocks the server chooses", () => {
    const { ask, requests } = served({ code: Code.Content, payload }, { blockExponent: 3 });
    assert.deepEqual(lines([ask(Code.Get, [])]), ["2.05 2:0/1/128"]);
    assert.deepEqual(lines([ask(Code.Get, [block("2:1/0/128")])]), ["2.05 2:1/1/128"]);
    const last = ask(Code.Get, [block("2:2/0/128")]);
    assert.deepEqual(lines([last]), ["2.05 2:2/0/128"]);
    assert.deepEqual(last.payload, payload.slice(256));
    assert.equal(requests.length, 1);
  });

  it("figure 3: GET with early negotiation", () => {
    const { ask } = served({ code: Code.Content, payload });
    assert.deepEqual(lines([ask(Code.Get, [block("2:0/0/64")])]), ["2.05 2:0/1/64"]);
    assert.deepEqual(lines([ask(Code.Get, [block("2:4/0/64")])]), ["2.05 2:4/0/64"]);
  });

  it("figure 4: GET with late negotiation", () => {
    const { ask } = served({ code: Code.Content, payload }, { blockExponent: 3 });
    assert.deepEqual(lines([ask(Code.Get, [])]), ["2.05 2:0/1/128"]);
    const second = ask(Code.Get, [block("2:2/0/64")]);
    assert.deepEqual(lines([second]), ["2.05 2:2/1/64"]);
    assert.deepEqual(second.payload, payload.slice(128, 192));
  });

  it("figure 7: PUT, atomic", () => {
    const { ask, requests } = served({ code: Code.Changed });
    const size = 128;
    assert.deepEqual(lines([ask(Code.Put, [block("1:0/1/128")], BODY.slice(0, size))]), ["2.31 1:0/1/128"]);
    assert.deepEqual(lines([ask(Code.Put, [block("1:1/1/128")], BODY.slice(size, 2 * size))]), ["2.31 1:1/1/128"]);
    assert.deepEqual(lines([ask(Code.Put, [block("1:2/0/128")], BODY.slice(2 * size, 300))]), ["2.04 1:2/0/128"]);
    assert.deepEqual(
      requests.map((request) => request.payload),
      [payload],
    );
  });

  it("figure 9: PUT, the server asks for smaller blocks", () => {
    const { ask, requests } = served({ code: Code.Changed }, { blockExponent: 1 });
    assert.deepEqual(lines([ask(Code.Put, [block("1:0/1/128")], BODY.slice(0, 128))]), ["2.31 1:0/1/32"]);
    for (let number = 4; number < 9; number++) {
      const part = BODY.slice(number * 32, number * 32 + 32);
      assert.deepEqual(lines([ask(Code.Put, [block(`1:${number}/1/32`)], part)]), [`2.31 1:${number}/1/32`]);
    }
    assert.deepEqual(lines([ask(Code.Put, [block("1:9/0/32")], BODY.slice(288, 300))]), ["2.04 1:9/0/32"]);
    assert.deepEqual(requests[0]?.payload, payload);
  });

  for (const [name, code] of [
    ["figure 11: POST", Code.Post],
    ["the same with FETCH", Code.Fetch],
  ] as const) {
    it(`${name} with a block-wise response, another CoAP token for each block`, () => {
      const answer = BODY.slice(400, 700);
      const { ask, requests } = served({ code: Code.Changed, payload: answer }, { blockExponent: 3 });
      const got: CoapMessage[] = [];
      for (const [text, from, to] of [
        ["1:0/1/128", 0, 128],
        ["1:1/1/128", 128, 256],
        ["1:2/0/128", 256, 300],
        ["2:1/0/128", 0, 0],
        ["2:2/0/128", 0, 0],
      ] as const) {
        got.push(ask(code, [block(text)], BODY.slice(from, to), utf8(text.slice(0, 5))));
      }
      assert.deepEqual(lines(got), [
        "2.31 1:0/1/128",
        "2.31 1:1/1/128",
        "2.04 2:0/1/128, 1:2/0/128",
        "2.04 2:1/1/128",
        "2.04 2:2/0/128",
      ]);
      assert.deepEqual(Buffer.concat(got.slice(2).map((message) => message.payload)), Buffer.from(answer));
      assert.deepEqual(
        requests.map((request) => request.payload),
        [payload],
      );
      assert.deepEqual(ask(code, [block("2:1/0/128")]).payload, got[3]?.payload, "also once it was read to its end");
    });
  }

  it("gives blocks of one 2.05 the same ETag and tells the size when asked", () => {
    const { ask } = served({ code: Code.Content, payload }, { blockExponent: 3 });
    const first = ask(Code.Get, [uintOption(OptionNumber.Size2, 0)]);
    const second = ask(Code.Get, [block("2:1/0/128")]);
    assert.equal(optionUint(first.options, OptionNumber.Size2), 300);
    assert.equal(optionUint(second.options, OptionNumber.Size2), undefined);
    assert.ok(optionValue(first.options, OptionNumber.ETag));
    assert.deepEqual(optionValue(first.options, OptionNumber.ETag), optionValue(second.options, OptionNumber.ETag));
  });

  it("makes a GET's response again when it was dropped, with an ETag of the content", () => {
    const { ask, pair, requests } = served({ code: Code.Content, payload }, { blockExponent: 3 });
    const first = ask(Code.Get, []);
    pair.server.forget({ address: "10.0.0.3", port: 1 });
    const second = ask(Code.Get, [block("2:1/0/128")]);
    assert.deepEqual(second.payload, payload.slice(128, 256));
    assert.deepEqual(optionValue(first.options, OptionNumber.ETag), optionValue(second.options, OptionNumber.ETag));
    assert.equal(requests.length, 2);
    assert.equal(codeText(ask(Code.Get, [block("2:9/0/128")]).code), "4.00");
  });

  it("forgets what a peer was reading or sending when told", () => {
    const { ask, pair } = served({ code: Code.Content, payload }, { blockExponent: 3 });
    ask(Code.Fetch, []);
    ask(Code.Put, [block("1:0/1/128")], BODY.slice(0, 128));
    pair.server.forget({ address: "10.0.0.3", port: 1 });
    assert.equal(codeText(ask(Code.Fetch, [block("2:1/0/128")]).code), "4.08");
    assert.equal(codeText(ask(Code.Put, [block("1:1/0/128")], BODY.slice(0, 12)).code), "4.08");
  });

  it("answers 4.08 to missing blocks and to blocks of nothing, and drops the body", () => {
    const { ask, requests } = served({ code: Code.Changed });
    const part = BODY.slice(0, 128);
    assert.equal(codeText(ask(Code.Put, [block("1:1/1/128")], part).code), "4.08");
    ask(Code.Put, [block("1:0/1/128")], part);
    assert.equal(codeText(ask(Code.Put, [block("1:2/1/128")], part).code), "4.08");
    assert.equal(codeText(ask(Code.Put, [block("1:1/0/128")], part).code), "4.08");
    assert.equal(requests.length, 0);
  });

  it("takes a block again that was repeated under a new message id", () => {
    const { ask, requests } = served({ code: Code.Changed });
    ask(Code.Put, [block("1:0/1/128")], BODY.slice(0, 128));
    ask(Code.Put, [block("1:1/1/128")], BODY.slice(128, 256));
    assert.deepEqual(lines([ask(Code.Put, [block("1:1/1/128")], BODY.slice(128, 256))]), ["2.31 1:1/1/128"]);
    ask(Code.Put, [block("1:2/0/128")], BODY.slice(256, 300));
    assert.deepEqual(requests[0]?.payload, payload);
  });

  it("keeps uploads of other peers, paths, methods and formats apart", () => {
    const { ask, pair, requests } = served({ code: Code.Changed });
    const other = new RawPeer(pair.net, { address: "10.0.0.4", port: 1 }, SERVER);
    const first = BODY.slice(0, 128);
    ask(Code.Put, [block("1:0/1/128")], first);
    ask(Code.Post, [block("1:0/1/128")], BODY.slice(5, 133));
    ask(Code.Put, [textOption(OptionNumber.UriPath, "s"), block("1:0/1/128")], BODY.slice(6, 134));
    ask(Code.Put, [uintOption(OptionNumber.ContentFormat, 60), block("1:0/1/128")], BODY.slice(7, 135));
    other.send({
      code: Code.Put,
      messageId: 1,
      options: [textOption(OptionNumber.UriPath, "r"), block("1:1/0/128")],
      payload: BODY,
    });
    other.send({
      code: Code.Put,
      messageId: 2,
      options: [textOption(OptionNumber.UriPath, "r"), block("1:1/0/128")],
      payload: first,
    });
    assert.deepEqual(
      other.received.map(({ code }) => codeText(code)),
      ["4.00", "4.08"],
    );
    ask(Code.Put, [block("1:1/0/128")], BODY.slice(128, 140));
    assert.deepEqual(
      requests.map((request) => request.payload),
      [BODY.slice(0, 140)],
    );
  });

  it("answers 4.00 to a reserved size and to blocks that are not of their size", () => {
    const { ask, requests } = served({ code: Code.Changed });
    assert.equal(codeText(ask(Code.Put, [uintOption(OptionNumber.Block1, 0x0f)], BODY).code), "4.00");
    assert.equal(codeText(ask(Code.Get, [uintOption(OptionNumber.Block2, 0x07)]).code), "4.00");
    assert.equal(codeText(ask(Code.Put, [block("1:0/1/128")], BODY.slice(0, 127)).code), "4.00");
    assert.equal(codeText(ask(Code.Put, [block("1:0/0/128")], BODY.slice(0, 129)).code), "4.00");
    assert.equal(requests.length, 0);
  });

  it("answers 4.13 with Size1 as soon as it is known to be too large", () => {
    const { ask, requests } = served({ code: Code.Changed }, { bodyBytes: 256 });
    const part = BODY.slice(0, 128);
    const announced = ask(Code.Put, [block("1:0/1/128"), uintOption(OptionNumber.Size1, 257)], part);
    assert.equal(codeText(announced.code), "4.13");
    assert.equal(optionUint(announced.options, OptionNumber.Size1), 256);
    ask(Code.Put, [block("1:0/1/128")], part);
    ask(Code.Put, [block("1:1/1/128")], part);
    assert.equal(codeText(ask(Code.Put, [block("1:2/0/128")], BODY.slice(0, 1)).code), "4.13");
    assert.equal(codeText(ask(Code.Put, [], BODY.slice(0, 257)).code), "4.13");
    assert.equal(requests.length, 0);
    ask(Code.Put, [], BODY.slice(0, 256));
    assert.equal(requests.length, 1);
  });

  it("bounds uploads: of one peer the oldest gives way, of all the one idle longest", () => {
    const { ask, pair } = served({ code: Code.Changed }, { uploads: 3, uploadsOfPeer: 2 });
    const part = BODY.slice(0, 16);
    const on = (path: string, text: string) =>
      ask(Code.Put, [textOption(OptionNumber.UriPath, path), block(text)], part);
    for (const path of ["a", "b", "c"]) on(path, "1:0/1/16");
    assert.deepEqual(
      ["a", "b", "c"].map((path) => codeText(on(path, "1:1/1/16").code)),
      ["4.08", "2.31", "2.31"],
    );
    for (const port of [2, 3]) {
      const other = new RawPeer(pair.net, { address: "10.0.0.4", port }, SERVER);
      other.send({ code: Code.Put, messageId: 1, options: [block("1:0/1/16")], payload: part });
    }
    assert.deepEqual(
      ["b", "c"].map((path) => codeText(on(path, "1:2/1/16").code)),
      ["4.08", "2.31"],
    );
  });

  it("bounds kept responses, and drops uploads and responses idle too long", () => {
    const { ask, pair } = served(
      { code: Code.Content, payload },
      { downloads: 2, transferLifetimeMs: 1_000, blockExponent: 3 },
    );
    const on = (path: string, options: readonly CoapOption[]) =>
      codeText(ask(Code.Fetch, [textOption(OptionNumber.UriPath, path), ...options]).code);
    for (const path of ["a", "b", "c"]) on(path, []);
    assert.deepEqual(
      ["a", "b", "c"].map((path) => on(path, [block("2:1/0/128")])),
      ["4.08", "2.05", "2.05"],
    );
    ask(Code.Put, [block("1:0/1/16")], BODY.slice(0, 16));
    pair.clock.advance(1_001);
    assert.equal(on("b", [block("2:2/0/128")]), "4.08");
    assert.equal(codeText(ask(Code.Put, [block("1:1/1/16")], BODY.slice(0, 16)).code), "4.08");
  });
});

describe("Block-wise transfer, client (RFC 7959, section 3)", () => {
  const peer = { address: "10.0.0.9", port: 5683 };

  /** A client whose peer answers by script: to the nth message what `script` says. */
  function asking(script: (message: CoapMessage, n: number) => Partial<CoapMessage> & { code: number }) {
    const pair = new CoapPair({ synchronous: true });
    const raw = new RawPeer(pair.net, peer, CLIENT);
    let n = 0;
    raw.onMessage = (message) => {
      if (message.code === Code.Empty) return;
      const answer = script(message, n++);
      raw.send({ type: MessageType.Ack, messageId: message.messageId, coapToken: message.coapToken, ...answer });
    };
    const outcomes: CoapOutcome[] = [];
    const run = (request: Partial<Parameters<typeof pair.client.start>[1]>) => {
      pair.client.start(peer, { method: "GET", path: "/r", ...request }, (outcome) => outcomes.push(outcome));
      pair.clock.advance(0);
      return outcomes[0];
    };
    return { pair, raw, run };
  }

  function kindOf(outcome: CoapOutcome | undefined): string | undefined {
    return outcome?.ok === false ? outcome.error.kind : outcome && codeText(outcome.response.code);
  }

  const bodyBlock = (body: Uint8Array, number: number, size: number, options: readonly CoapOption[] = []) => ({
    code: Code.Content,
    options: [block(`2:${number}/${(number + 1) * size < body.byteLength ? 1 : 0}/${size}`), ...options],
    payload: body.slice(number * size, (number + 1) * size),
  });
  const etag = (text: string) => ({ number: OptionNumber.ETag, value: utf8(text) });

  it("figure 12: POST in both directions, Block2 asked with the last block up, no body after it", () => {
    const { raw, run } = asking((_, n) =>
      n < 2
        ? { code: Code.Continue, options: [block(`1:${n}/1/128`)] }
        : { ...bodyBlock(BODY.slice(0, 300), n - 2, 128), code: Code.Changed },
    );
    const outcome = run({ method: "POST", payload: BODY.slice(0, 300), blockSize: 128 });
    assert.ok(outcome?.ok);
    assert.deepEqual(outcome.response.payload, BODY.slice(0, 300));
    assert.deepEqual(lines(raw.received), [
      "0.02 1:0/1/128",
      "0.02 1:1/1/128",
      "0.02 2:0/0/128, 1:2/0/128",
      "0.02 2:1/0/128",
      "0.02 2:2/0/128",
    ]);
    assert.deepEqual(
      raw.received.map((message) => message.payload.byteLength),
      [128, 128, 44, 0, 0],
    );
    assert.deepEqual(
      raw.received.map((message) => optionUint(message.options, OptionNumber.Size1)),
      [300, undefined, undefined, undefined, undefined],
    );
    for (const message of raw.received) assert.deepEqual(message.coapToken, raw.received[0]?.coapToken);
  });

  it("takes the server's smaller blocks, both ways", () => {
    const up = asking((_, n) =>
      n === 0
        ? { code: Code.Continue, options: [block("1:0/1/32")] }
        : n < 6
          ? { code: Code.Continue, options: [block(`1:${n + 3}/1/32`)] }
          : { code: Code.Changed, options: [block("1:9/0/32")] },
    );
    assert.equal(kindOf(up.run({ method: "PUT", payload: BODY.slice(0, 300), blockSize: 128 })), "2.04");
    assert.deepEqual(Buffer.concat(up.raw.received.map((message) => message.payload)), Buffer.from(BODY.slice(0, 300)));
    const down = asking((_, n) => bodyBlock(BODY.slice(0, 100), n, 32));
    const outcome = down.run({ blockSize: 512 });
    assert.ok(outcome?.ok);
    assert.deepEqual(outcome.response.payload, BODY.slice(0, 100));
    assert.deepEqual(lines(down.raw.received).slice(0, 2), ["0.01 2:0/0/512", "0.01 2:1/0/32"]);
  });

  it("begins anew with the size that 4.13 names", () => {
    const { raw, run } = asking((message) => {
      const asked = blocksOf(message);
      if (!asked.endsWith("/64")) return { code: Code.RequestEntityTooLarge, options: [block("1:0/1/64")] };
      const more = asked.includes("/1/");
      return { code: more ? Code.Continue : Code.Changed, options: [block(asked)] };
    });
    assert.equal(kindOf(run({ method: "PUT", payload: BODY })), "2.04");
    assert.deepEqual(lines(raw.received).slice(0, 3), ["0.03", "0.03 1:0/1/64", "0.03 1:1/1/64"]);
  });

  it("sends all once more when the server lost blocks, only once", () => {
    const { raw, run } = asking((message) => {
      const asked = blocksOf(message);
      return asked.startsWith("1:0/")
        ? { code: Code.Continue, options: [block(asked)] }
        : { code: Code.RequestEntityIncomplete };
    });
    assert.equal(kindOf(run({ method: "PUT", payload: BODY, blockSize: 512 })), "4.08");
    assert.deepEqual(
      lines(raw.received).map((line) => line.slice(-9)),
      ["1:0/1/512", "1:1/0/512", "1:0/1/512", "1:1/0/512"],
    );
  });

  it("gives an error in the middle as the response", () => {
    const up = asking(() => ({ code: Code.Forbidden }));
    assert.equal(kindOf(up.run({ method: "PUT", payload: BODY, blockSize: 16 })), "4.03");
    assert.equal(up.raw.received.length, 1);
    const down = asking((_, n) => (n === 0 ? bodyBlock(BODY, 0, 64) : { code: Code.RequestEntityIncomplete }));
    assert.equal(kindOf(down.run({})), "4.08");
  });

  it("puts an error together that comes in blocks, and ends with another one, without its Block2", () => {
    const error = (n: number) => ({ ...bodyBlock(BODY.slice(0, 150), n, 64), code: Code.Forbidden });
    const outcome = asking((_, n) => error(n)).run({});
    assert.ok(outcome?.ok);
    assert.deepEqual(outcome.response, {
      ...{ code: Code.Forbidden, contentFormat: undefined },
      ...{ options: [], payload: BODY.slice(0, 150) },
    });
    const cut = asking((_, n) => (n === 0 ? error(0) : { ...bodyBlock(BODY, 0, 64), code: Code.NotFound })).run({});
    assert.ok(cut?.ok);
    assert.deepEqual([cut.response.code, cut.response.options], [Code.NotFound, []]);
    assert.equal(kindOf(asking((_, n) => (n === 0 ? error(0) : { code: Code.Forbidden })).run({})), "4.03");
  });

  it("begins a GET anew when the ETag changes, once; anything else fails", () => {
    const changing = (changes: number) => {
      let version = 0;
      return asking((message) => {
        const asked = readBlock(message.options, OptionNumber.Block2);
        const number = asked === undefined || asked === "malformed" ? 0 : asked.number;
        if (number === 1 && version < changes) version++;
        return bodyBlock(BODY.slice(version, version + 150), number, 64, [etag(`v${version}`)]);
      });
    };
    const once = changing(1).run({});
    assert.ok(once?.ok);
    assert.deepEqual(once.response.payload, BODY.slice(1, 151));
    assert.equal(kindOf(changing(2).run({})), "protocol");
    assert.equal(kindOf(changing(1).run({ method: "FETCH" })), "protocol");
  });

  const WRONG: readonly (readonly [string, (n: number) => Partial<CoapMessage> & { code: number }])[] = [
    ["another number than asked", (n) => bodyBlock(BODY, 2 * n, 64)],
    ["a first block that is not number 0", () => bodyBlock(BODY, 1, 64)],
    ["a block shorter than its size", (n) => ({ ...bodyBlock(BODY, n, 64), payload: BODY.slice(0, 63) })],
    ["an empty block with more to come", (n) => ({ ...bodyBlock(BODY, n, 64), payload: new Uint8Array(0) })],
    ["no Block2 in a later block", (n) => (n === 0 ? bodyBlock(BODY, 0, 64) : { code: Code.Content, payload: BODY })],
    ["larger blocks than before", (n) => (n === 0 ? bodyBlock(BODY, 0, 16) : bodyBlock(BODY, 0, 64))],
    ["larger blocks than asked for", () => bodyBlock(BODY, 0, 512)],
    [
      "another code in a later block",
      (n) => ({ ...bodyBlock(BODY, n, 64), code: n === 0 ? Code.Content : Code.Changed }),
    ],
    [
      "a reserved block size",
      () => ({ code: Code.Content, options: [uintOption(OptionNumber.Block2, 0x0f)], payload: BODY }),
    ],
    ["2.31 to a request without blocks", () => ({ code: Code.Continue })],
    [
      "a Block2 longer than three bytes",
      () => ({ code: Code.Content, options: [{ number: OptionNumber.Block2, value: new Uint8Array([1, 0, 0, 0]) }] }),
    ],
  ];
  for (const [name, answer] of WRONG) {
    it(`refuses ${name}`, () => {
      const { run } = asking((_, n) => answer(n));
      assert.equal(kindOf(run({ blockSize: 256 })), "protocol");
    });
  }

  const WRONG_UP: readonly (readonly [string, string | undefined, number])[] = [
    ["success without Block1 before the last block", undefined, Code.Changed],
    ["another Block1 number than sent", "1:1/1/256", Code.Continue],
    ["larger Block1 than sent", "1:0/1/512", Code.Continue],
  ];
  for (const [name, text, code] of WRONG_UP) {
    it(`refuses ${name}`, () => {
      const { run } = asking(() => ({ code, options: text === undefined ? [] : [block(text)] }));
      assert.equal(kindOf(run({ method: "PUT", payload: BODY, blockSize: 256 })), "protocol");
    });
  }

  it("passes over a late separate response to an earlier block", () => {
    const { pair, raw, run } = asking((message, n) => {
      if (n === 1) {
        raw.send({
          ...bodyBlock(BODY.slice(0, 150), 0, 64),
          type: MessageType.Non,
          messageId: 9,
          coapToken: message.coapToken,
        });
      }
      return bodyBlock(BODY.slice(0, 150), n, 64);
    });
    const outcome = run({});
    assert.ok(outcome?.ok);
    assert.deepEqual(outcome.response.payload, BODY.slice(0, 150));
    assert.equal(pair.clock.nextDue(), undefined);
  });

  it("refuses bodies over its limit, announced or received", () => {
    const received = asking((_, n) => bodyBlock(BODY, n, 64));
    assert.equal(kindOf(received.run({ maxBodyBytes: 999 })), "too-large");
    assert.equal(received.raw.received.length, 16);
    const announced = asking((_, n) => bodyBlock(BODY, n, 64, [uintOption(OptionNumber.Size2, 1_000)]));
    assert.equal(kindOf(announced.run({ maxBodyBytes: 999 })), "too-large");
    assert.equal(announced.raw.received.length, 1);
    assert.equal(kindOf(asking((_, n) => bodyBlock(BODY, n, 64)).run({ maxBodyBytes: 1_000 })), "2.05");
  });
});

describe("Block-wise transfer, both ends ours", () => {
  it("carries an error that is longer than a block to its end", () => {
    const pair = new CoapPair({ synchronous: true });
    pair.server.serve(() => ({ code: Code.Forbidden, payload: new Uint8Array(2_148).fill(65) }));
    const outcomes: CoapOutcome[] = [];
    pair.client.start(SERVER, { method: "GET", path: "/x" }, (outcome) => outcomes.push(outcome));
    pair.clock.advance(1);
    const [outcome] = outcomes;
    assert.ok(outcome?.ok);
    assert.deepEqual([codeText(outcome.response.code), outcome.response.payload.byteLength], ["4.03", 2_148]);
    assert.equal(optionValue(outcome.response.options, OptionNumber.Block2), undefined);
  });

  const SIZES: readonly (BlockSize | undefined)[] = [16, 32, 64, 128, 256, 512, 1024, undefined];

  for (const synchronous of [false, true]) {
    it(`carries FETCH of 10 KB both ways in every pair of sizes, ${synchronous ? "over a port that delivers at once" : "under a clock"}`, () => {
      const up = seededRandom(3).bytes(10_240);
      const down = seededRandom(4).bytes(10_001);
      for (const [blockExponent] of SIZES.entries()) {
        if (blockExponent > 6) continue;
        const pair = new CoapPair({ synchronous, server: { limits: { blockExponent } } });
        const bodies: Uint8Array[] = [];
        pair.server.serve(({ payload }) => {
          bodies.push(payload);
          return { code: Code.Content, payload: down };
        });
        for (const blockSize of SIZES) {
          const outcomes: CoapOutcome[] = [];
          pair.client.start(SERVER, { method: "FETCH", path: "/f", payload: up, blockSize }, (outcome) =>
            outcomes.push(outcome),
          );
          pair.clock.advance(1);
          const [outcome] = outcomes;
          assert.ok(outcome?.ok);
          assert.deepEqual(outcome.response.payload, down);
          assert.deepEqual(bodies.splice(0), [up]);
        }
      }
    });
  }

  it("carries bodies of every length around a block's size", () => {
    const pair = new CoapPair({ synchronous: true, server: { limits: { blockExponent: 1 } } });
    pair.server.serve(({ payload }) => ({ code: Code.Changed, payload }));
    for (let size = 0; size <= 130; size++) {
      const outcomes: CoapOutcome[] = [];
      const payload = BODY.slice(0, size);
      pair.client.start(SERVER, { method: "POST", path: "/echo", payload, blockSize: 64 }, (outcome) =>
        outcomes.push(outcome),
      );
      pair.clock.advance(0);
      assert.ok(outcomes[0]?.ok);
      assert.deepEqual(outcomes[0].response.payload, payload);
    }
  });
});
