import assert from "node:assert/strict";
import { realClock } from "../../hw/clock/real.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { utf8 } from "../../shared/bytes/index.ts";
import {
  type BlockSize,
  type CoapEndpoint,
  type CoapRequest,
  Code,
  ContentFormat,
  codeText,
  createEndpoint,
  type Method,
} from "../../shared/coap/index.ts";
import type { DatagramPort } from "../../shared/ports/index.ts";
import { LIBCOAP_CLIENT, LIBCOAP_SERVER, libcoapRequest, startLibcoapServer } from "../support/libcoap.ts";
import { needs } from "../support/programs.ts";
import { seededRandom } from "../support/random.ts";

const BODY = seededRandom(1, "coap interop").bytes(10_240);
const ANSWER = seededRandom(2, "coap interop").bytes(10_007);
const SIZES: readonly BlockSize[] = [16, 32, 64, 128, 256, 512, 1024];

async function openEndpoint(): Promise<{ port: DatagramPort; endpoint: CoapEndpoint; close(): Promise<void> }> {
  const port = await openUdpPort("127.0.0.1", 0);
  const endpoint = createEndpoint({ port, clock: realClock, random: systemRandom });
  return {
    port,
    endpoint,
    async close() {
      endpoint.close();
      await port.close();
    },
  };
}

describe("CoAP: libcoap's client asks our server", () => {
  let server: Awaited<ReturnType<typeof openEndpoint>>;
  let requests: CoapRequest[];

  before(function () {
    needs(this, LIBCOAP_CLIENT);
  });

  beforeEach(async () => {
    server = await openEndpoint();
    requests = [];
    server.endpoint.serve((request) => {
      requests.push(request);
      const code = request.method === "PUT" || request.method === "POST" ? Code.Changed : Code.Content;
      return { code, payload: ANSWER, contentFormat: ContentFormat.OctetStream };
    });
  });

  afterEach(() => server.close());

  function assertAsked(method: Method, body: Uint8Array): void {
    assert.equal(requests.length, 1, "the handler runs once however many blocks there are");
    const [request] = requests;
    assert.equal(request?.method, method);
    assert.deepEqual(request?.path, ["some", "where"]);
    assert.deepEqual(request?.query, ["q=1"]);
    assert.deepEqual(request?.payload, body);
  }

  for (const size of SIZES) {
    it(`GET, 10 KB in blocks of ${size}`, async () => {
      const { body } = await libcoapRequest(server.port.local, "get", "/some/where?q=1", undefined, "-b", `${size}`);
      assert.deepEqual(body, ANSWER);
      assertAsked("GET", new Uint8Array(0));
    });

    for (const method of ["PUT", "POST", "FETCH"] as const) {
      it(`${method}, 10 KB both ways in blocks of ${size}`, async () => {
        const more = ["-b", `${size}`, "-t", "42"];
        const { body } = await libcoapRequest(
          server.port.local,
          method.toLowerCase(),
          "/some/where?q=1",
          BODY,
          ...more,
        );
        assert.deepEqual(body, ANSWER);
        assertAsked(method, BODY);
        assert.equal(requests[0]?.contentFormat, ContentFormat.OctetStream);
      });
    }
  }

  it("survives lost datagrams on its side", async () => {
    const { body } = await libcoapRequest(
      server.port.local,
      "post",
      "/some/where?q=1",
      BODY,
      "-b",
      "1024",
      "-l",
      "2,5",
    );
    assert.deepEqual(body, ANSWER);
    assertAsked("POST", BODY);
  });

  it("is told what it asks wrongly", async () => {
    server.endpoint.serve(() => ({ code: Code.NotFound, payload: utf8("nothing here") }));
    const { text } = await libcoapRequest(server.port.local, "get", "/x", undefined);
    assert.match(text, /^4\.04 nothing here/);
    const critical = await libcoapRequest(server.port.local, "get", "/x", undefined, "-O", "2049,0x00");
    assert.match(critical.text, /^4\.02 option 2049 is not supported here/);
  });

  it("sends Accept and Content-Format as they are", async () => {
    await libcoapRequest(server.port.local, "fetch", "/some/where", utf8("x"), "-t", "60", "-A", "60");
    assert.equal(requests[0]?.accept, ContentFormat.Cbor);
    assert.equal(requests[0]?.contentFormat, ContentFormat.Cbor);
  });

  it("is told that a body is too large", async () => {
    const small = createEndpoint({
      port: server.port,
      clock: realClock,
      random: systemRandom,
      limits: { bodyBytes: 4_096 },
    });
    server.endpoint.close();
    small.serve(() => assert.fail("not to be called"));
    const { text } = await libcoapRequest(server.port.local, "put", "/x", BODY, "-b", "512");
    small.close();
    assert.match(text, /^4\.13 /);
  });

  it("takes a separate response; of one in blocks its client 4.3.1 asks only for the first", async () => {
    const late = ANSWER.slice(0, 300);
    server.endpoint.serve(
      () =>
        new Promise((resolve) => {
          realClock.after(700, () => resolve({ code: Code.Content, payload: late }));
        }),
    );
    const { body } = await libcoapRequest(server.port.local, "get", "/slow", undefined, "-b", "512");
    assert.deepEqual(body, late);
  });
});

describe("CoAP: our client asks libcoap's server", () => {
  let libcoap: Awaited<ReturnType<typeof startLibcoapServer>>;
  let client: Awaited<ReturnType<typeof openEndpoint>>;

  before(function () {
    needs(this, LIBCOAP_SERVER);
  });

  beforeEach(async () => {
    libcoap = await startLibcoapServer("-d", "10");
    client = await openEndpoint();
    // connection refused is silence: the first pings are lost until it listens
    await client.endpoint.ping(libcoap.peer, { ackTimeoutMs: 20, backoffFactor: 1, maxRetransmit: 200 });
  });

  afterEach(async () => {
    await client?.close();
    await libcoap?.stop();
  });

  async function putAndGet(method: "PUT" | "POST", path: string, size: BlockSize | undefined): Promise<void> {
    const contentFormat = ContentFormat.OctetStream;
    const upload = { method, path, payload: BODY, contentFormat, blockSize: size };
    const made = await client.endpoint.request(libcoap.peer, upload);
    assert.equal(codeText(made.code), "2.01");
    const changed = await client.endpoint.request(libcoap.peer, upload);
    assert.equal(codeText(changed.code), "2.04");
    const got = await client.endpoint.request(libcoap.peer, { method: "GET", path, blockSize: size });
    assert.equal(codeText(got.code), "2.05");
    assert.deepEqual(got.payload, BODY);
  }

  for (const size of [...SIZES, undefined]) {
    it(`PUT and POST on new paths, GET: 10 KB in ${size === undefined ? "its own choice of blocks" : `blocks of ${size}`}`, async () => {
      await putAndGet("PUT", "/put", size);
      await putAndGet("POST", "/post", size);
    });
  }

  it("takes libcoap's separate response", async () => {
    const got = await client.endpoint.request(libcoap.peer, { method: "GET", path: "/async", query: ["1"] });
    assert.equal(got.code, Code.Content);
    assert.deepEqual(got.payload, utf8("done"));
  });

  it("gives error codes as responses", async () => {
    const got = await client.endpoint.request(libcoap.peer, { method: "GET", path: "/nowhere" });
    assert.equal(got.code, Code.NotFound);
  });
});
