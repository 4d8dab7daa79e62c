import assert from "node:assert/strict";
import { CodecError, utf8 } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  type CoapOption,
  type CoapRequest,
  Code,
  ContentFormat,
  codeText,
  createRouter,
  diagnostic,
  MessageType,
  OptionNumber,
  optionUint,
  type Route,
  type ServeOptions,
  textOption,
  uintOption,
} from "../../../shared/coap/index.ts";
import { CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";

const NONE = new Uint8Array(0);

function serving(handler: Parameters<CoapPair["server"]["serve"]>[0], options?: ServeOptions) {
  const pair = new CoapPair({ synchronous: true });
  const raw = new RawPeer(pair.net, { address: "10.0.0.3", port: 1 }, SERVER);
  pair.server.serve(handler, options);
  let messageId = 1;
  const ask = (code: number, options: readonly CoapOption[] = [], more: Partial<CoapMessage> = {}) => {
    raw.received.length = 0;
    raw.send({ code, messageId: messageId++, options, ...more });
    return raw.received[0];
  };
  return { pair, raw, ask };
}

function answerText(message: CoapMessage | undefined): string {
  assert.ok(message);
  return `${codeText(message.code)} ${new TextDecoder().decode(message.payload)}`.trim();
}

describe("CoAP server (RFC 7252, section 5)", () => {
  it("hands over method, path, query, formats and peer", () => {
    const requests: CoapRequest[] = [];
    const { ask } = serving((request) => {
      requests.push(request);
      return { code: Code.Content, contentFormat: ContentFormat.Cbor, options: [uintOption(OptionNumber.MaxAge, 0)] };
    });
    const options = [
      textOption(OptionNumber.UriHost, "token"),
      uintOption(OptionNumber.UriPort, 5683),
      textOption(OptionNumber.UriPath, "fs"),
      textOption(OptionNumber.UriPath, "a/b"),
      { number: OptionNumber.ContentFormat, value: new Uint8Array([0, 0, 0, 60]) },
      textOption(OptionNumber.UriQuery, "x=1"),
      { number: OptionNumber.Accept, value: new Uint8Array([60]) },
      { number: 2048, value: NONE },
    ];
    const answer = ask(Code.IPatch, options, { payload: utf8("p") });
    const { options: seen, ...request } = requests[0] ?? assert.fail();
    assert.deepEqual(request, {
      peer: { address: "10.0.0.3", port: 1 },
      method: "iPATCH",
      path: ["fs", "a/b"],
      query: ["x=1"],
      contentFormat: 60,
      accept: 60,
      payload: utf8("p"),
    });
    assert.equal(seen.length, options.length);
    assert.deepEqual(answer?.options, [
      uintOption(OptionNumber.ContentFormat, 60),
      { number: OptionNumber.MaxAge, value: NONE },
    ]);
  });

  it("answers 4.02 with a text to critical options that nobody understands; resets a NON with one", () => {
    const { ask } = serving(() => ({ code: Code.Content }));
    const ifMatch = { number: OptionNumber.IfMatch, value: NONE };
    assert.equal(answerText(ask(Code.Put, [ifMatch])), "4.02 option If-Match (1) is not supported here");
    assert.equal(
      answerText(ask(Code.Get, [{ number: 65_001, value: NONE }])),
      "4.02 option 65001 is not supported here",
    );
    assert.equal(ask(Code.Get, [ifMatch], { type: MessageType.Non })?.type, MessageType.Rst);
    const twice = [uintOption(OptionNumber.Accept, 0), uintOption(OptionNumber.Accept, 0)];
    assert.equal(answerText(ask(Code.Get, twice)), "4.02 option Accept (17) is not supported here");
    assert.equal(
      answerText(ask(Code.Get, [{ number: OptionNumber.UriPath, value: new Uint8Array([0xff]) }])).slice(0, 4),
      "4.02",
    );
  });

  it("tells an error whole, whatever block of a response was asked for", () => {
    const { ask } = serving(() => diagnostic(Code.NotFound, "gone"));
    const later = uintOption(OptionNumber.Block2, (3 << 4) | 6);
    assert.equal(answerText(ask(Code.Get, [later])), "4.04 gone");
  });

  it("lets a handler understand more", () => {
    const { ask } = serving(() => ({ code: Code.Changed }), { understands: [OptionNumber.IfNoneMatch] });
    assert.equal(answerText(ask(Code.Put, [{ number: OptionNumber.IfNoneMatch, value: NONE }])), "2.04");
  });

  it("is no proxy: 5.05", () => {
    const { ask } = serving(() => ({ code: Code.Content }));
    assert.equal(answerText(ask(Code.Get, [textOption(OptionNumber.ProxyUri, "coap://x/")])), "5.05 not a proxy");
    assert.equal(answerText(ask(Code.Get, [textOption(OptionNumber.ProxyScheme, "coap")])), "5.05 not a proxy");
  });

  it("answers 4.05 to methods that do not exist", () => {
    const { ask } = serving(() => ({ code: Code.Content }));
    assert.equal(answerText(ask(8)), "4.05 method 8");
    assert.equal(answerText(ask(31)), "4.05 method 31");
  });

  it("answers 5.00 to a handler that throws or rejects, and logs it", async () => {
    const { ask, pair, raw } = serving(({ path }) => {
      if (path.length > 0) return Promise.reject(new Error("later"));
      throw new Error("now");
    });
    assert.equal(answerText(ask(Code.Get)), "5.00 trouble inside");
    ask(Code.Get, [textOption(OptionNumber.UriPath, "a")]);
    for (let i = 0; i < 4; i++) await Promise.resolve();
    assert.equal(answerText(raw.received[0]), "5.00 trouble inside");
    assert.deepEqual(pair.log.lines, ["error: CoAP: GET failed: Error: now", "error: CoAP: GET failed: Error: later"]);
  });

  it("survives anything a peer may send, and still serves", () => {
    const { ask, raw } = serving(() => ({ code: Code.Content, payload: new Uint8Array(3_000) }));
    for (let first = 0; first < 256; first++) {
      for (const second of [0, 1, 5, 0x45, 0x5f, 0x84, 0xff]) {
        raw.sendBytes(Uint8Array.from([first, second, 0, first, 0xd1, second, first, 0xff, 1]));
        raw.sendBytes(Uint8Array.from([first, second]));
      }
    }
    assert.equal(ask(Code.Get)?.code, Code.Content);
  });
});

describe("CoAP router", () => {
  interface Context {
    readonly port: number;
  }
  const routes: readonly Route<Context>[] = [
    { method: "GET", path: "/api/version", handle: () => ({ code: Code.Content, payload: utf8("v") }) },
    { method: "GET", path: "/", handle: (_, { port }) => ({ code: Code.Content, payload: utf8(`root for ${port}`) }) },
    {
      method: "POST",
      path: "/api/v1/attest/:id",
      accepts: ContentFormat.Cbor,
      produces: [ContentFormat.Cbor, ContentFormat.OctetStream],
      handle: ({ params }) => ({ code: Code.Changed, payload: utf8(`id ${params["id"]}`) }),
    },
    { method: "PUT", path: "/raw", accepts: ContentFormat.OctetStream, handle: () => ({ code: Code.Created }) },
    {
      method: "POST",
      path: "/guarded/:id",
      accepts: ContentFormat.Cbor,
      guard: ({ params }, { port }) =>
        params["id"] === "1" ? undefined : diagnostic(Code.Forbidden, `${params["id"]} for ${port}`),
      handle: () => ({ code: Code.Changed }),
    },
    {
      method: "POST",
      path: "/broken/:how",
      handle: ({ params }) => {
        const error =
          params["how"] === "input" ? new CodecError("3 bytes wanted, 1 left", "evidence.data", 7) : new Error("bug");
        if (params["how"] === "later") return Promise.reject(new CodecError("no", "later", 0));
        throw error;
      },
    },
  ];
  const router = createRouter(routes, { context: ({ peer }) => ({ port: peer.port }) });
  const path = (text: string) =>
    text
      .split("/")
      .filter(Boolean)
      .map((segment) => textOption(OptionNumber.UriPath, segment));
  const format = (number: number) => uintOption(OptionNumber.ContentFormat, number);
  const accept = (number: number) => uintOption(OptionNumber.Accept, number);

  const CASES: readonly (readonly [string, number, readonly CoapOption[], string])[] = [
    ["a literal path", Code.Get, path("/api/version"), "2.05 v"],
    ["the root, with its context", Code.Get, [], "2.05 root for 1"],
    ["a parameter", Code.Post, [...path("/api/v1/attest/42"), format(60)], "2.04 id 42"],
    ["no such path", Code.Get, path("/api"), "4.04"],
    ["a sub-path", Code.Get, path("/api/version/x"), "4.04"],
    ["a parameter missing", Code.Post, [...path("/api/v1/attest"), format(60)], "4.04"],
    ["another method", Code.Delete, path("/api/version"), "4.05"],
    ["another format", Code.Post, [...path("/api/v1/attest/1"), format(0)], "4.15"],
    ["no format means octet-stream, refused", Code.Post, path("/api/v1/attest/1"), "4.15"],
    ["no format means octet-stream, taken", Code.Put, path("/raw"), "2.01"],
    ["an Accept that is met", Code.Post, [...path("/api/v1/attest/1"), format(60), accept(42)], "2.04 id 1"],
    ["an Accept that is not", Code.Post, [...path("/api/v1/attest/1"), format(60), accept(50)], "4.06"],
    ["an Accept where the route does not care", Code.Get, [...path("/api/version"), accept(50)], "2.05 v"],
    ["what a guard refuses, whatever the format", Code.Post, path("/guarded/2"), "4.03 2 for 1"],
    ["a wrong format that passed the guard", Code.Post, path("/guarded/1"), "4.15"],
    ["what passed the guard", Code.Post, [...path("/guarded/1"), format(60)], "2.04"],
    ["malformed input", Code.Post, path("/broken/input"), "4.00 evidence.data: 3 bytes wanted, 1 left (at byte 7)"],
    ["a bug", Code.Post, path("/broken/bug"), "5.00 trouble inside"],
  ];
  for (const [name, code, options, expected] of CASES) {
    it(`answers ${expected.slice(0, 4)} to ${name}`, () => {
      assert.equal(answerText(serving(router).ask(code, options)), expected);
    });
  }

  it("turns a late CodecError into 4.00 as well", async () => {
    const { ask, raw } = serving(router);
    ask(Code.Post, path("/broken/later"));
    for (let i = 0; i < 5; i++) await Promise.resolve();
    assert.equal(answerText(raw.received[0]), "4.00 later: no (at byte 0)");
  });

  it("can be told another code for a wrong format", () => {
    const strict = createRouter(routes, { context: () => ({ port: 0 }), wrongFormat: Code.BadRequest });
    assert.equal(answerText(serving(strict).ask(Code.Post, path("/api/v1/attest/1"))), "4.00");
  });

  it("makes diagnostics", () => {
    const reply = diagnostic(Code.Forbidden, "no", [uintOption(OptionNumber.MaxAge, 3)]);
    assert.deepEqual(reply.payload, utf8("no"));
    assert.equal(optionUint(reply.options ?? [], OptionNumber.MaxAge), 3);
  });
});
