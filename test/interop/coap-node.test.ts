import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { Agent, createServer } from "coap";
import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { type BlockSize, type CoapRequest, Code, ContentFormat, createEndpoint } from "../../shared/coap/index.ts";
import { seededRandom } from "../support/random.ts";

const BODY = seededRandom(1, "coap interop").bytes(10_240);
const ANSWER = seededRandom(2, "coap interop").bytes(10_007);
const SIZES: readonly BlockSize[] = [16, 64, 512, 1024];
/** Not 16: its server reads a Block2 of 0/0/16, an empty option value, as blocks of no bytes. */
const SIZES_OF_ITS_SERVER: readonly BlockSize[] = [32, 64, 512, 1024];

describe("CoAP: node's coap package as the other side", () => {
  for (const size of SIZES) {
    it(`its client FETCHes 10 KB both ways from our server in blocks of ${size}`, async () => {
      const port = await openUdpPort("127.0.0.1", 0);
      const limits = { blockExponent: Math.log2(size) - 4 };
      const server = createEndpoint({ port, clock: realClock, random: systemRandom, limits });
      const requests: CoapRequest[] = [];
      server.serve((request) => {
        requests.push(request);
        return { code: Code.Content, payload: ANSWER, contentFormat: ContentFormat.OctetStream };
      });
      const socket = createSocket("udp4");
      const agent = new Agent({ socket });
      const { address, port: number } = port.local;
      const request = agent.request({
        hostname: address,
        port: number,
        method: "FETCH",
        pathname: "/a",
        confirmable: true,
      });
      request.setOption("Content-Format", "application/octet-stream");
      request.setOption("Block1", Buffer.of(Math.log2(size) - 4));
      const answered = once(request, "response");
      request.end(Buffer.from(BODY));
      const [response] = await answered;
      assert.deepEqual(new Uint8Array(response.payload), ANSWER);
      assert.equal(requests.length, 1);
      assert.deepEqual(requests[0]?.payload, BODY);
      socket.close();
      server.close();
      await port.close();
    });
  }

  for (const size of SIZES_OF_ITS_SERVER) {
    it(`our client FETCHes 10 KB both ways from its server in blocks of ${size}`, async () => {
      const bodies: Uint8Array[] = [];
      const server = createServer({ type: "udp4" }, (request, response) => {
        bodies.push(new Uint8Array(request.payload));
        response.setOption("Content-Format", "application/octet-stream");
        response.end(Buffer.from(ANSWER));
      });
      const socket = createSocket("udp4");
      socket.bind(0, "127.0.0.1");
      await once(socket, "listening");
      const { port: number } = socket.address();
      server.listen(socket);
      const port = await openUdpPort("127.0.0.1", 0);
      const client = createEndpoint({ port, clock: realClock, random: systemRandom });
      const response = await client.request(
        { address: "127.0.0.1", port: number },
        { method: "FETCH", path: "/a", payload: BODY, contentFormat: ContentFormat.OctetStream, blockSize: size },
      );
      assert.equal(response.code, Code.Content);
      assert.equal(response.contentFormat, ContentFormat.OctetStream);
      assert.deepEqual(response.payload, ANSWER);
      assert.deepEqual(bodies, [BODY]);
      client.close();
      await port.close();
      server.close();
      socket.close();
    });
  }
});
