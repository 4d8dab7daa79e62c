/** Our engine on both sides, in virtual time. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { type CoapEndpoint, Code, methodCode, OptionNumber } from "../../../shared/coap/index.ts";
import { textOption } from "../../../shared/coap/option.ts";
import type { Peer } from "../../../shared/ports/index.ts";
import { CoapPair, RawPeer, SERVER } from "../../support/coap-pair.ts";
import type { Ask, Scene } from "./scene.ts";
import { createSite, UNDERSTOOD } from "./site.ts";
import { Wire } from "./wire.ts";

const SEPARATE_AFTER_MS = 3_000;
/** Longer than any timer of an exchange. */
const LONG_MS = 600_000;

/** What our client gives its user; an error code is an answer, too. */
export async function askOurs(client: CoapEndpoint, to: Peer, { withoutToken, ...request }: Ask): Promise<Uint8Array> {
  assert.ok(withoutToken !== true, "our client always sends a token");
  return (await client.request(to, request)).payload;
}

export async function oursToOurs(): Promise<Scene> {
  const pair = new CoapPair();
  const wire = new Wire();
  pair.net.fate = ({ from, datagram }) =>
    wire.pass(from.port === SERVER.port ? "server" : "client", datagram) ? [0] : [];
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
    clientStays: true,
    ask: (request) =>
      driven(request.withoutToken === true ? askRaw(pair, request) : askOurs(pair.client, SERVER, request)),
    ping: () => driven(pair.client.ping(SERVER)),
    until,
    async close() {
      pair.client.close();
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
