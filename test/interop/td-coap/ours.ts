/** Our engine on both sides, in virtual time. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { type CoapEndpoint, Code, createEndpoint, methodCode, OptionNumber } from "../../../shared/coap/index.ts";
import { textOption } from "../../../shared/coap/option.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import { CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";
import { seededRandom } from "../../support/random.ts";
import { createReverseProxy } from "./proxy.ts";
import type { Ask, ReverseProxy, Scene } from "./scene.ts";
import { createSite, UNDERSTOOD } from "./site.ts";
import { Wire } from "./wire.ts";

const PROXY: Peer = { address: "10.0.0.9", port: 5683 };
const SEPARATE_AFTER_MS = 3_000;
/** Longer than any timer of an exchange. */
const LONG_MS = 600_000;

/** What our client gives its user; an error code is an answer, too. */
export async function askOurs(client: CoapEndpoint, to: Peer, { withoutToken, ...request }: Ask): Promise<Uint8Array> {
  assert.ok(withoutToken !== true, "our client always sends a token");
  return (await client.request(to, request)).payload;
}

/** Asks the server at `server` through this endpoint, and serves what it gets. */
export function serveAsProxy(endpoint: CoapEndpoint, server: Peer, behind = new Wire()): ReverseProxy {
  const clock = new VirtualClock();
  const handler = createReverseProxy(clock, ({ peer, ...request }, options) =>
    endpoint.request(server, { ...request, options }),
  );
  endpoint.serve(handler, { understands: UNDERSTOOD });
  return {
    behind,
    pass: (ms) => void clock.step(clock.now() + ms),
  };
}

function startProxy({ net, clock, log }: CoapPair): ReverseProxy & { close(): void } {
  const port = net.open(PROXY.address, PROXY.port);
  const endpoint = createEndpoint({ port, clock, log, random: seededRandom(1, "proxy") });
  return { ...serveAsProxy(endpoint, SERVER), close: () => endpoint.close() };
}

export async function oursToOurs(proxied: boolean): Promise<Scene> {
  const pair = new CoapPair();
  const wire = new Wire();
  const proxy = proxied ? startProxy(pair) : undefined;
  const asked = proxied ? PROXY : SERVER;
  pair.net.fate = ({ from, to, datagram }) => {
    const isAtServer = [from.address, to.address].includes(SERVER.address);
    const [between, answers] = isAtServer ? [proxy?.behind ?? wire, SERVER] : [wire, PROXY];
    return between.pass(from.address === answers.address ? "server" : "client", datagram) ? [0] : [];
  };
  pair.server.serve(createSite(pair.clock, SEPARATE_AFTER_MS), { understands: UNDERSTOOD });

  const until = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      await setImmediate();
      if (enough()) return;
      assert.ok(pair.clock.step(pair.clock.now() + LONG_MS), "nothing more will happen");
    }
  };
  const driven = async <T>(work: Promise<T>): Promise<T> => {
    let done = false;
    const mark = () => {
      done = true;
    };
    work.then(mark, mark);
    await until(() => done);
    return work;
  };
  return {
    wire,
    proxy,
    clientStays: true,
    ask: (request) =>
      driven(request.withoutToken === true ? askRaw(pair, request) : askOurs(pair.client, asked, request)),
    ping: () => driven(pair.client.ping(asked)),
    until,
    async close() {
      pair.client.close();
      proxy?.close();
      pair.server.close();
    },
  };
}

/** A request written out by hand, for what our client does not send. */
function askRaw(pair: CoapPair, { method, path }: Ask): Promise<Uint8Array> {
  const peer = new RawPeer(pair.net, { address: "10.0.0.3", port: 40_001 }, SERVER);
  return new Promise((resolve) => {
    peer.onMessage = ({ code, payload }) => {
      if (code !== Code.Empty) resolve(payload);
    };
    const options = path
      .slice(1)
      .split("/")
      .map((segment) => textOption(OptionNumber.UriPath, segment));
    peer.send({ code: methodCode(method), messageId: 0x1234, options });
  });
}
