/** TD_COAP_CORE_24-29: the same through a reverse proxy, and its cache. */
import assert from "node:assert/strict";
import { type CoapMessage, Code, MessageType, OptionNumber, optionUint } from "../../../shared/coap/index.ts";
import { ask, CORE } from "./core.ts";
import type { Description, Scene } from "./scene.ts";
import { VALIDATION } from "./validation.ts";
import { isAsked, responseTo } from "./wire.ts";

const DIRECT = new Map([...CORE, ...VALIDATION].map((description) => [description.id, description]));

/** All the steps of these; `ask` looks at both sides of the proxy. */
function throughProxy(number: number, about: string, ...direct: readonly number[]): Description {
  return {
    id: `TD_COAP_CORE_${number}`,
    about: `${about}, through a reverse proxy`,
    proxied: true,
    async run(scene) {
      for (const one of direct) await (DIRECT.get(`TD_COAP_CORE_${one}`) ?? assert.fail(`${one}`)).run(scene);
    },
  };
}

function maxAge({ options }: CoapMessage): number {
  return optionUint(options, OptionNumber.MaxAge) ?? assert.fail("no Max-Age");
}

/** What the proxy got it tells again as long as Max-Age lasts, and no longer. */
async function cached(scene: Scene): Promise<void> {
  const { proxy } = scene;
  assert.ok(proxy !== undefined);
  const read = { method: "GET", path: "/max-age" } as const;
  const first = await ask(scene, read, [Code.Content]);
  const lifetime = maxAge(first.response);
  assert.ok(lifetime > 0 && first.shown.byteLength > 0);

  const halfMs = 500 * lifetime;
  proxy.pass(halfMs);
  scene.wire.begin();
  proxy.behind.begin();
  const again = await scene.ask(read);
  assert.equal(proxy.behind.count(isAsked), 0, "the server was asked");
  assert.deepEqual(again, first.shown);
  const [exchange] = scene.wire.exchanges();
  assert.ok(exchange !== undefined);
  const response = responseTo(exchange, [Code.Content]);
  assert.equal(response.type, MessageType.Ack);
  assert.equal(maxAge(response), Math.floor(lifetime / 2));

  proxy.pass(halfMs);
  assert.equal(maxAge((await ask(scene, read, [Code.Content])).response), lifetime);
}

export const PROXIED: readonly Description[] = [
  throughProxy(24, "POST answered with several Location-Path options", 18),
  throughProxy(25, "POST answered with several Location-Query options", 19),
  throughProxy(26, "GET with Accept", 20),
  throughProxy(27, "GET with ETag and PUT with If-Match", 21, 22),
  throughProxy(28, "PUT with If-None-Match", 23),
  {
    id: "TD_COAP_CORE_29",
    about: "GET with Max-Age, answered from the cache of a reverse proxy",
    proxied: true,
    run: cached,
  },
];
