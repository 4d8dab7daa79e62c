/** Clients and servers over UDP with a gate between them. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "coap";
import { realClock } from "../../../hw/clock/real.ts";
import { openUdpPort } from "../../../hw/net/udp.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { type CoapEndpoint, ContentFormat, createEndpoint } from "../../../shared/coap/index.ts";
import type { DatagramPort, Peer } from "../../../shared/ports/index.ts";
import { startLibcoapServer } from "../../support/libcoap.ts";
import { UdpGate } from "../../support/udp-gate.ts";
import { answerNodeCoap } from "./node-coap.ts";
import { askOurs, serveAsProxy } from "./ours.ts";
import type { Ask, ReverseProxy, Scene } from "./scene.ts";
import { CONTENTS, createSite, UNDERSTOOD } from "./site.ts";
import { Wire } from "./wire.ts";

const LOOPBACK = "127.0.0.1";
const SEPARATE_AFTER_MS = 250;
const QUICK = { ackTimeoutMs: 400 };
/** Peers wait up to 3 s (ACK_TIMEOUT with its random factor) before they send again. */
const SEEN_WITHIN_MS = 6_000;

/** A client, told where its server seems to be. */
export interface Client {
  readonly stays: boolean;
  ask(request: Ask, to: Peer): Promise<Uint8Array>;
  ping(to: Peer): Promise<void>;
  close(): Promise<void>;
}

export interface Server {
  readonly port: number;
  /** What is asked of it for what the descriptions call otherwise. */
  translate?(request: Ask): Ask;
  close(): Promise<void>;
}

async function openEndpoint(): Promise<{ port: DatagramPort; endpoint: CoapEndpoint; close(): Promise<void> }> {
  const port = await openUdpPort(LOOPBACK, 0);
  const limits = { ackDelayMs: 50 };
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom, limits, transmission: QUICK });
  return {
    port,
    endpoint,
    async close() {
      endpoint.close();
      await port.close();
    },
  };
}

export async function ourClient(): Promise<Client> {
  const { endpoint, close } = await openEndpoint();
  return {
    stays: true,
    ask: (request, to) => askOurs(endpoint, to, request),
    ping: (to) => endpoint.ping(to),
    close,
  };
}

export async function ourServer(): Promise<Server> {
  const { port, endpoint, close } = await openEndpoint();
  endpoint.serve(createSite(realClock, SEPARATE_AFTER_MS), { understands: UNDERSTOOD });
  return { port: port.local.port, close };
}

export async function nodeCoapServer(): Promise<Server> {
  const site = createSite(realClock, SEPARATE_AFTER_MS);
  const server = createServer({ type: "udp4" }, (request, response) => void answerNodeCoap(site, request, response));
  const socket = createSocket("udp4");
  socket.bind(0, LOOPBACK);
  await once(socket, "listening");
  server.listen(socket);
  return {
    port: socket.address().port,
    async close() {
      server.close();
      socket.close();
    },
  };
}

const OF_LIBCOAP: Readonly<Record<string, Partial<Ask>>> = {
  "/separate": { path: "/async", query: ["1"] },
  "/max-age": { path: "/time" },
};

/** libcoap's example server makes resources of what is PUT or POSTed; what is there at the beginning is PUT. Others go by other names. */
export async function libcoapServer(): Promise<Server> {
  const libcoap = await startLibcoapServer("-d", "20");
  const { endpoint, close } = await openEndpoint();
  await endpoint.ping(libcoap.peer, { ackTimeoutMs: 20, backoffFactor: 1, maxRetransmit: 200 });
  for (const [path, payload] of CONTENTS)
    await endpoint.request(libcoap.peer, { method: "PUT", path, payload, contentFormat: ContentFormat.OctetStream });
  await close();
  return {
    port: libcoap.peer.port,
    translate: (request) => ({ ...request, ...OF_LIBCOAP[request.path] }),
    close: () => libcoap.stop(),
  };
}

/** All that goes to this port of the loopback, and back, through `wire`. */
async function gateTo(serverPort: number, wire: Wire): Promise<{ peer: Peer; close(): Promise<void> }> {
  const gate = await UdpGate.open();
  gate.passTo(serverPort);
  gate.passes = (from, datagram) => wire.pass(from, datagram);
  const [address = "", port] = gate.address.split(":");
  return { peer: { address, port: Number(port) }, close: () => gate.close() };
}

/** A server in front of that server. */
async function proxyTo(server: Server): Promise<Server & { readonly proxy: ReverseProxy }> {
  const { port, endpoint, close } = await openEndpoint();
  const behind = new Wire();
  const gate = await gateTo(server.port, behind);
  return {
    ...server,
    port: port.local.port,
    proxy: serveAsProxy(endpoint, gate.peer, behind),
    async close() {
      await close();
      await gate.close();
      await server.close();
    },
  };
}

export async function sceneOver(client: Client, origin: Server, proxied: boolean): Promise<Scene> {
  const server = proxied ? await proxyTo(origin) : { ...origin, proxy: undefined };
  const wire = new Wire();
  const gate = await gateTo(server.port, wire);
  const to = gate.peer;
  return {
    wire,
    proxy: server.proxy,
    clientStays: client.stays,
    ask: (request) => client.ask(server.translate?.(request) ?? request, to),
    ping: () => client.ping(to),
    until: (enough) => seenInTime(wire, enough),
    async close() {
      await client.close();
      await server.close();
      await gate.close();
    },
  };
}

function seenInTime(wire: Wire, enough: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = realClock.after(SEEN_WITHIN_MS, () =>
      reject(new assert.AssertionError({ message: "not seen in time" })),
    );
    wire.onSeen = () => {
      if (!enough()) return;
      stop();
      resolve();
    };
    wire.onSeen();
  });
}
