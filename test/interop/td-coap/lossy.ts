/** TD_COAP_CORE_15 and 16: messages are lost, each kind once. */
import assert from "node:assert/strict";
import { type CoapMessage, Code, MessageType } from "../../../shared/coap/index.ts";
import type { Description, Scene } from "./scene.ts";
import { type Exchange, isAnswer, isAsked, isEmptyAck, responsesTo, responseTo, type Seen } from "./wire.ts";

const isServersAck = (seen: Seen) => seen.from === "server" && isEmptyAck(seen);
const isClientsAck = (seen: Seen) => seen.from === "client" && isEmptyAck(seen);

/** How often a message of this kind with this one's message id was seen. */
function times({ wire }: Scene, which: (seen: Seen) => boolean, { messageId }: CoapMessage): number {
  return wire.count((seen) => which(seen) && seen.message.messageId === messageId);
}

/** Asks while the first message of this kind is lost; the client gets its answer all the same. */
async function askLosing(scene: Scene, path: string, lost: (seen: Seen) => boolean): Promise<Exchange> {
  scene.wire.begin(lost);
  const shown = await scene.ask({ method: "GET", path });
  assert.ok(shown.byteLength > 0);
  const [exchange, ...more] = scene.wire.exchanges();
  assert.ok(exchange !== undefined && more.length === 0, "a retransmission has the message id of the first sending");
  const response = responseTo(exchange, [Code.Content]);
  // Its ACK may still be on the way, and is not to be taken for one of the next request.
  if (response.type === MessageType.Con) await scene.until(() => times(scene, isClientsAck, response) > 0);
  return exchange;
}

async function piggybacked(scene: Scene): Promise<void> {
  await askLosing(scene, "/test", isAsked);
  assert.ok(scene.wire.count(isAsked) > 1, "the request is sent again");
  const exchange = await askLosing(scene, "/test", isAnswer);
  assert.ok(scene.wire.count(isAsked) > 1, "the request is sent again");
  assert.ok(responsesTo(exchange).length > 1, "the response is sent again");
}

async function separate(scene: Scene): Promise<void> {
  await askLosing(scene, "/separate", isAsked);
  assert.ok(scene.wire.count(isAsked) > 1, "the request is sent again");

  const exchange = await askLosing(scene, "/separate", isAnswer);
  assert.ok(responsesTo(exchange).length > 1, "the response is sent again");
  assert.equal(responsesTo(exchange)[0]?.type, MessageType.Con);

  await askLosing(scene, "/separate", isServersAck);
  const after = scene.wire.seen.slice(scene.wire.seen.findIndex(isAnswer));
  assert.equal(after.filter(isAsked).length, 0, "the response ends the retransmissions of the request");

  if (!scene.clientStays) return;
  const again = responseTo(await askLosing(scene, "/separate", isClientsAck), [Code.Content]);
  const isReply = ({ from, message }: Seen) => from === "client" && message.code === Code.Empty;
  await scene.until(() => times(scene, isAnswer, again) > 1 && times(scene, isReply, again) > 1);
  assert.ok(times(scene, isClientsAck, again) > 1, "what comes again is not acknowledged again");
}

export const LOSSY: readonly Description[] = [
  { id: "TD_COAP_CORE_15", about: "GET, request or response lost", run: piggybacked },
  { id: "TD_COAP_CORE_16", about: "GET with a separate response, each message lost once", run: separate },
];
