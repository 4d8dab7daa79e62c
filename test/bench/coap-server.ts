/** Servers to be measured, each in a process of its own: says `port N`, answers GET and takes PUT until it is killed. */
import { createSocket } from "node:dgram";
import { createServer } from "coap";
import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { concat, utf8 } from "../../shared/bytes/index.ts";
import { Code, createEndpoint } from "../../shared/coap/index.ts";

const LOOPBACK = "127.0.0.1";
/** As long as what libcoap's server answers. */
const PAYLOAD = utf8(
  "A small representation, as long as the text about itself that the example server of libcoap answers GET with: five lines fewer than a page.",
);
/** A PUT body of another size was put together wrongly. */
const BODY_BYTES = 4_096;

async function fobnail(): Promise<number> {
  const port = await openUdpPort(LOOPBACK, 0);
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom });
  endpoint.serve(({ method, payload }) => {
    if (method === "GET") return { code: Code.Content, payload: PAYLOAD };
    return { code: payload.byteLength === BODY_BYTES ? Code.Changed : Code.BadRequest };
  });
  return port.local.port;
}

/** No server: what node:dgram alone takes to answer as many datagrams of the same sizes. Each is told that all went well. */
function bare(): Promise<number> {
  const HEAD_BYTES = 8;
  const content = concat(Uint8Array.of(0x64, Code.Content, 0, 0, 0, 0, 0, 0, 0xff), PAYLOAD);
  const changed = Uint8Array.of(0x64, Code.Changed, 0, 0, 0, 0, 0, 0);
  const socket = createSocket("udp4");
  socket.on("message", (datagram, { address, port }) => {
    const answer = (datagram[1] === Code.Get ? content : changed).slice();
    for (let i = 2; i < HEAD_BYTES; i++) answer[i] = datagram[i] ?? 0;
    socket.send(answer, port, address);
  });
  return bound(socket);
}

function nodeCoap(): Promise<number> {
  const server = createServer({ type: "udp4" }, (request, response) => {
    if (request.method === "GET") {
      response.end(PAYLOAD);
      return;
    }
    response.code = request.payload.byteLength === BODY_BYTES ? "2.04" : "4.00";
    response.end();
  });
  const socket = createSocket("udp4");
  const port = bound(socket);
  server.listen(socket);
  return port;
}

function bound(socket: ReturnType<typeof createSocket>): Promise<number> {
  return new Promise((resolve) => {
    socket.bind(0, LOOPBACK, () => resolve(socket.address().port));
  });
}

const SERVERS: Readonly<Record<string, () => Promise<number>>> = { fobnail, bare, "node-coap": nodeCoap };

const start = SERVERS[process.argv[2] ?? ""];
if (start === undefined) throw new RangeError(`one of ${Object.keys(SERVERS).join(", ")}`);
console.log(`port ${await start()}`);
