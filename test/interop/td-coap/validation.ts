/** TD_COAP_CORE_21-23: ETag, If-Match, If-None-Match. */
import assert from "node:assert/strict";
import { utf8 } from "../../../shared/bytes/index.ts";
import { Code, ContentFormat, OptionNumber, optionValue } from "../../../shared/coap/index.ts";
import { ask } from "./core.ts";
import type { Description, Scene } from "./scene.ts";

const contentFormat = ContentFormat.OctetStream;
const read = { method: "GET", path: "/validate" } as const;
function write(content: string) {
  return { method: "PUT", path: "/validate", payload: utf8(content), contentFormat } as const;
}

/** GETs the resource; its ETag and what the client shows. */
async function readTagged(scene: Scene): Promise<{ etag: Uint8Array; shown: Uint8Array }> {
  const { request, response, shown } = await ask(scene, read, [Code.Content]);
  assert.equal(optionValue(request.options, OptionNumber.ETag), undefined);
  const etag = optionValue(response.options, OptionNumber.ETag);
  assert.ok(etag !== undefined, "no ETag");
  assert.ok(shown.byteLength > 0);
  return { etag, shown };
}

async function validate(scene: Scene): Promise<void> {
  const { etag, shown } = await readTagged(scene);
  const again = { ...read, options: [{ number: OptionNumber.ETag, value: etag }] };
  const valid = await ask(scene, again, [Code.Valid]);
  assert.deepEqual(optionValue(valid.request.options, OptionNumber.ETag), etag);
  assert.deepEqual(optionValue(valid.response.options, OptionNumber.ETag), etag);
  assert.equal(valid.response.payload.byteLength, 0);
  await ask(scene, write("changed"), [Code.Changed]);
  const changed = await ask(scene, again, [Code.Content]);
  assert.notDeepEqual(optionValue(changed.response.options, OptionNumber.ETag), etag);
  assert.notDeepEqual(changed.shown, shown);
}

async function updateIfMatch(scene: Scene): Promise<void> {
  const first = await readTagged(scene);
  const ifMatch = (value: Uint8Array) => ({ options: [{ number: OptionNumber.IfMatch, value }] });
  await ask(scene, { ...write("first"), ...ifMatch(first.etag) }, [Code.Changed]);
  const second = await readTagged(scene);
  assert.notDeepEqual(second.etag, first.etag);
  assert.deepEqual(second.shown, utf8("first"));
  await ask(scene, write("another's"), [Code.Changed]);
  await ask(scene, { ...write("second"), ...ifMatch(second.etag) }, [Code.PreconditionFailed]);
  assert.deepEqual((await readTagged(scene)).shown, utf8("another's"), "what was refused is not written");
}

async function createOnce(scene: Scene): Promise<void> {
  const options = [{ number: OptionNumber.IfNoneMatch, value: new Uint8Array() }];
  const create = (content: string) =>
    ({ method: "PUT", path: "/create1", payload: utf8(content), options, contentFormat }) as const;
  const { request } = await ask(scene, create("first"), [Code.Created]);
  assert.notEqual(optionValue(request.options, OptionNumber.IfNoneMatch), undefined);
  await ask(scene, create("second"), [Code.PreconditionFailed]);
  const { shown } = await ask(scene, { method: "GET", path: "/create1" }, [Code.Content]);
  assert.deepEqual(shown, utf8("first"));
}

export const VALIDATION: readonly Description[] = [
  { id: "TD_COAP_CORE_21", about: "GET with ETag", run: validate },
  { id: "TD_COAP_CORE_22", about: "PUT with If-Match", run: updateIfMatch },
  { id: "TD_COAP_CORE_23", about: "PUT with If-None-Match", run: createOnce },
];
