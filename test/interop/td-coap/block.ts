/** TD_COAP_BLOCK_01-06: bodies in blocks. */
import assert from "node:assert/strict";
import { concat } from "../../../shared/bytes/index.ts";
import { type Block, blockBytes, readBlock } from "../../../shared/coap/block-option.ts";
import {
  type CoapMessage,
  Code,
  ContentFormat,
  codeText,
  OptionNumber,
  optionTexts,
} from "../../../shared/coap/index.ts";
import type { Ask, Description, Scene } from "./scene.ts";
import { LARGE } from "./site.ts";
import { type Exchange, responseTo } from "./wire.ts";

const upload = { payload: LARGE, contentFormat: ContentFormat.OctetStream, blockSize: 64 } as const;

function blockIn({ options }: CoapMessage, number: number): Block | undefined {
  const block = readBlock(options, number);
  assert.ok(block !== "malformed", "a malformed block option");
  return block;
}

/** All exchanges of one body down: numbers without gaps, full blocks, the last not over. Returns the body. */
function assertDownload(exchanges: readonly Exchange[], code: number): Uint8Array {
  assert.ok(exchanges.length > 1, "one block only");
  const parts: Uint8Array[] = [];
  let exponent: number | undefined;
  let bytes = 0;
  for (const [index, exchange] of exchanges.entries()) {
    const response = responseTo(exchange, [code]);
    const asked = blockIn(exchange.request, OptionNumber.Block2);
    const sent = blockIn(response, OptionNumber.Block2);
    assert.ok(sent !== undefined, "no Block2 in the response");
    exponent ??= sent.exponent;
    const last = index === exchanges.length - 1;
    assert.deepEqual(sent, { number: bytes / blockBytes(exponent), more: !last, exponent }, "Block2 of the response");
    if (index > 0) assert.deepEqual(asked, { ...sent, more: false }, "Block2 of the request");
    if (index > 0) assert.equal(exchange.request.payload.byteLength, 0);
    if (!last) assert.equal(response.payload.byteLength, blockBytes(exponent), "a full block");
    else assert.ok(response.payload.byteLength <= blockBytes(exponent));
    parts.push(response.payload);
    bytes += response.payload.byteLength;
  }
  return concat(...parts);
}

/** All exchanges of one body up but what the last response says besides Block1. Returns that response. */
function assertUpload(exchanges: readonly Exchange[], body: Uint8Array, codes: readonly number[]): CoapMessage {
  assert.ok(exchanges.length > 1, "one block only");
  const parts: Uint8Array[] = [];
  let final: CoapMessage | undefined;
  for (const [index, exchange] of exchanges.entries()) {
    const last = index === exchanges.length - 1;
    const sent = blockIn(exchange.request, OptionNumber.Block1);
    const response = responseTo(exchange, last ? codes : [Code.Continue]);
    assert.deepEqual(sent, { number: index, more: !last, exponent: 2 }, "Block1 of the request");
    assert.deepEqual(blockIn(response, OptionNumber.Block1), sent, `Block1 of the ${codeText(response.code)}`);
    parts.push(exchange.request.payload);
    final = response;
  }
  assert.deepEqual(concat(...parts), body);
  return final ?? assert.fail("no response");
}

async function download(scene: Scene, blockSize: Ask["blockSize"]): Promise<void> {
  scene.wire.begin();
  const shown = await scene.ask({ method: "GET", path: "/large", ...(blockSize !== undefined && { blockSize }) });
  const exchanges = scene.wire.exchanges();
  const first = exchanges[0] ?? assert.fail("no request");
  const wanted = blockSize === undefined ? undefined : { number: 0, more: false, exponent: Math.log2(blockSize) - 4 };
  assert.deepEqual(blockIn(first.request, OptionNumber.Block2), wanted, "Block2 of the first request");
  assert.deepEqual(assertDownload(exchanges, Code.Content), LARGE);
  assert.deepEqual(shown, LARGE);
}

async function put(scene: Scene): Promise<void> {
  scene.wire.begin();
  await scene.ask({ method: "PUT", path: "/large-update", ...upload });
  assertUpload(scene.wire.exchanges(), LARGE, [Code.Changed]);
  assert.deepEqual(await scene.ask({ method: "GET", path: "/large-update" }), LARGE, "the server has the whole");
}

async function create(scene: Scene): Promise<void> {
  scene.wire.begin();
  await scene.ask({ method: "POST", path: "/large-create", ...upload });
  const created = assertUpload(scene.wire.exchanges(), LARGE, [Code.Created]);
  const place = optionTexts(created.options, OptionNumber.LocationPath);
  assert.equal(place.length, 2, "Location-Path options");
  assert.equal(place[0], "large-create");
  assert.deepEqual(await scene.ask({ method: "GET", path: `/${place.join("/")}` }), LARGE, "what was created");
}

async function bothWays(scene: Scene): Promise<void> {
  scene.wire.begin();
  const shown = await scene.ask({ method: "POST", path: "/large-post", ...upload });
  const exchanges = scene.wire.exchanges();
  const turn = exchanges.findIndex(({ request }) => blockIn(request, OptionNumber.Block1)?.more === false);
  assertUpload(exchanges.slice(0, turn + 1), LARGE, [Code.Changed]);
  assert.deepEqual(assertDownload(exchanges.slice(turn), Code.Changed), LARGE.toReversed());
  assert.deepEqual(shown, LARGE.toReversed());
}

export const BLOCK: readonly Description[] = [
  { id: "TD_COAP_BLOCK_01", about: "GET, the client asks for a block size first", run: (scene) => download(scene, 64) },
  { id: "TD_COAP_BLOCK_02", about: "GET, the server answers in blocks", run: (scene) => download(scene, undefined) },
  { id: "TD_COAP_BLOCK_03", about: "PUT in blocks", run: put },
  { id: "TD_COAP_BLOCK_04", about: "POST in blocks creates", run: create },
  { id: "TD_COAP_BLOCK_05", about: "POST in blocks both ways", run: bothWays },
  { id: "TD_COAP_BLOCK_06", about: "GET in blocks of 16", run: (scene) => download(scene, 16) },
];
