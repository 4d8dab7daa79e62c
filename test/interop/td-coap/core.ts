/** TD_COAP_CORE_01-14, 17-20 and 31: one request, one response. */
import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import {
  type CoapMessage,
  Code,
  ContentFormat,
  encodeMessage,
  MessageType,
  methodCode,
  OptionNumber,
  optionTexts,
  optionUint,
} from "../../../shared/coap/index.ts";
import type { Ask, Description, Scene } from "./scene.ts";
import { XML } from "./site.ts";
import {
  assertPiggybacked,
  assertTellsFormat,
  type Exchange,
  isEmptyAck,
  responseTo,
  type Seen,
  type Wire,
} from "./wire.ts";

const NEW = utf8("as left");
const WRITTEN = [Code.Changed, Code.Created];
const GET = { method: "GET", path: "/test" } as const;
const written = { payload: NEW, contentFormat: ContentFormat.OctetStream } as const;

export interface Asked {
  readonly request: CoapMessage;
  readonly response: CoapMessage;
  readonly shown: Uint8Array;
}

/** Lets the client ask, and checks what every description wants of request and response. */
export async function ask(scene: Scene, asked: Ask, codes: readonly number[]): Promise<Asked> {
  scene.wire.begin();
  scene.proxy?.behind.begin();
  const shown = await scene.ask(asked);
  const exchange = onlyExchange(scene.wire);
  const { request } = exchange;
  const confirmable = asked.confirmable ?? true;
  assert.equal(request.type, confirmable ? MessageType.Con : MessageType.Non);
  assert.equal(request.code, methodCode(asked.method));
  const response = responseTo(exchange, codes);
  if (scene.proxy !== undefined) assertForwarded(onlyExchange(scene.proxy.behind), request, response);
  else if (confirmable) assertPiggybacked(request, response);
  else assert.equal(response.type, MessageType.Non);
  assertTellsFormat(response);
  return { request, response, shown };
}

function onlyExchange(wire: Wire): Exchange {
  const [exchange, ...more] = wire.exchanges();
  assert.ok(exchange !== undefined && more.length === 0, `${exchange === undefined ? 0 : more.length + 1} requests`);
  return exchange;
}

const OF_ONE_LEG: readonly number[] = [OptionNumber.UriHost, OptionNumber.UriPort];
/** Node's `coap` writes 0 as one byte, we as none. */
const FORMATS: readonly number[] = [OptionNumber.ContentFormat, OptionNumber.Accept];

/** The server got the client's request, and the client its response. */
function assertForwarded(behind: Exchange, request: CoapMessage, response: CoapMessage): void {
  const said = ({ code, options, payload }: CoapMessage) => ({
    code,
    formats: FORMATS.map((number) => optionUint(options, number)),
    options: options.filter(({ number }) => !OF_ONE_LEG.includes(number) && !FORMATS.includes(number)),
    payload,
  });
  assert.deepEqual(said(behind.request), said(request));
  assert.deepEqual(said(responseTo(behind, [response.code])), said(response));
}

async function get(scene: Scene, asked: Partial<Ask> = {}): Promise<Asked> {
  const answered = await ask(scene, { ...GET, ...asked }, [Code.Content]);
  assert.ok(answered.response.payload.byteLength > 0, "no payload");
  assert.deepEqual(answered.shown, answered.response.payload);
  return answered;
}

async function put(scene: Scene, confirmable: boolean): Promise<void> {
  await ask(scene, { method: "PUT", path: "/test", confirmable, ...written }, WRITTEN);
  assert.deepEqual((await get(scene, { confirmable })).shown, NEW, "the server has what was sent");
}

/** The request is acknowledged at once, and answered in a message of its own. */
async function separate(scene: Scene): Promise<void> {
  const { wire } = scene;
  wire.begin();
  const shown = await scene.ask({ method: "GET", path: "/separate" });
  const [exchange] = wire.exchanges();
  assert.ok(exchange !== undefined);
  const { request } = exchange;
  assert.ok(request.coapToken.byteLength >= 1 && request.coapToken.byteLength <= 8);
  const acked = (from: Seen["from"], { messageId }: CoapMessage) =>
    wire.seen.some((seen) => seen.from === from && isEmptyAck(seen) && seen.message.messageId === messageId);
  assert.ok(acked("server", request), "no empty ACK");
  const response = responseTo(exchange, [Code.Content]);
  assert.equal(response.type, MessageType.Con);
  await scene.until(() => acked("client", response));
  assert.ok(shown.byteLength > 0);
}

const core = (number: number) => `TD_COAP_CORE_${String(number).padStart(2, "0")}`;

export const CORE: readonly Description[] = [
  { id: core(1), about: "GET, confirmable", run: async (scene) => void (await get(scene)) },
  {
    id: core(2),
    about: "DELETE, confirmable",
    run: async (scene) => void (await ask(scene, { method: "DELETE", path: "/test" }, [Code.Deleted])),
  },
  { id: core(3), about: "PUT, confirmable", run: (scene) => put(scene, true) },
  {
    id: core(4),
    about: "POST, confirmable",
    run: async (scene) => void (await ask(scene, { method: "POST", path: "/test", ...written }, WRITTEN)),
  },
  {
    id: core(5),
    about: "GET, not confirmable",
    run: async (scene) => void (await get(scene, { confirmable: false })),
  },
  {
    id: core(6),
    about: "DELETE, not confirmable",
    async run(scene) {
      await ask(scene, { method: "DELETE", path: "/test", confirmable: false }, [Code.Deleted]);
    },
  },
  { id: core(7), about: "PUT, not confirmable", run: (scene) => put(scene, false) },
  {
    id: core(8),
    about: "POST, not confirmable",
    async run(scene) {
      await ask(scene, { method: "POST", path: "/test", confirmable: false, ...written }, WRITTEN);
    },
  },
  { id: core(9), about: "GET with a separate response", run: separate },
  {
    id: core(10),
    about: "GET with a token",
    async run(scene) {
      const { request } = await get(scene);
      assert.ok(request.coapToken.byteLength >= 1 && request.coapToken.byteLength <= 8);
    },
  },
  { id: core(11), about: "GET with a token and a separate response", run: separate },
  {
    id: core(12),
    about: "GET with an empty token",
    async run(scene) {
      const { request } = await get(scene, { withoutToken: true });
      assert.equal(request.coapToken.byteLength, 0);
    },
  },
  {
    id: core(13),
    about: "GET with several Uri-Path options",
    async run(scene) {
      const { request } = await get(scene, { path: "/seg1/seg2/seg3" });
      assert.deepEqual(optionTexts(request.options, OptionNumber.UriPath), ["seg1", "seg2", "seg3"]);
    },
  },
  {
    id: core(14),
    about: "GET with several Uri-Query options",
    async run(scene) {
      const query = ["first=1", "second=2"];
      const { request } = await get(scene, { path: "/query", query });
      assert.deepEqual(optionTexts(request.options, OptionNumber.UriQuery), query);
    },
  },
  {
    id: core(17),
    about: "GET, not confirmable, answered late",
    async run(scene) {
      scene.wire.begin();
      await scene.ask({ method: "GET", path: "/separate", confirmable: false });
      const [exchange] = scene.wire.exchanges();
      assert.ok(exchange !== undefined);
      assert.equal(exchange.request.type, MessageType.Non);
      assert.equal(exchange.fromServer.length, 1, "an ACK to what is not confirmable");
      const response = responseTo(exchange, [Code.Content]);
      assert.equal(response.type, MessageType.Non);
      assertTellsFormat(response);
    },
  },
  {
    id: core(18),
    about: "POST answered with several Location-Path options",
    async run(scene) {
      const { response } = await ask(scene, { method: "POST", path: "/test", ...written }, [Code.Created]);
      const place = optionTexts(response.options, OptionNumber.LocationPath);
      assert.deepEqual(place, ["location1", "location2", "location3"]);
      assert.deepEqual((await get(scene, { path: `/${place.join("/")}` })).shown, NEW);
    },
  },
  {
    id: core(19),
    about: "POST answered with several Location-Query options",
    async run(scene) {
      const { response } = await ask(scene, { method: "POST", path: "/location-query", ...written }, [Code.Created]);
      assert.deepEqual(optionTexts(response.options, OptionNumber.LocationQuery), ["first=1", "second=2"]);
    },
  },
  {
    id: core(20),
    about: "GET with Accept",
    async run(scene) {
      for (const accept of [ContentFormat.Text, XML]) {
        const { request, response } = await get(scene, { path: "/multi-format", accept });
        assert.equal(optionUint(request.options, OptionNumber.Accept), accept);
        assert.equal(optionUint(response.options, OptionNumber.ContentFormat), accept);
      }
    },
  },
  {
    id: core(31),
    about: "ping",
    async run(scene) {
      scene.wire.begin();
      await scene.ping();
      const ping = scene.wire.seen.find(({ from, message }) => from === "client" && message.code === Code.Empty);
      assert.equal(ping?.message.type, MessageType.Con);
      assert.equal(encodeMessage(ping.message).byteLength, 4);
      const answer = scene.wire.seen.find(({ from }) => from === "server")?.message;
      assert.equal(answer?.messageId, ping.message.messageId);
      assert.equal(answer?.type, MessageType.Rst, "answered, but not with RST");
      assert.equal(encodeMessage(answer).byteLength, 4);
    },
  },
];
