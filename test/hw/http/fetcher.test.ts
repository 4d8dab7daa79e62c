import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createHttpFetcher, type FetcherLimits } from "../../../hw/http/index.ts";
import { startProgram } from "../../support/program.ts";

describe("certificate downloads", () => {
  let server: Server | undefined;
  const lines: string[] = [];
  const log = { write: (level: string, message: string) => void lines.push(`${level}: ${message}`) };

  const serve = async (listener: RequestListener): Promise<string> => {
    server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return `http://127.0.0.1:${address.port}`;
  };
  const get = (url: string, limits: Partial<FetcherLimits> = {}) => createHttpFetcher(log, limits).fetch(url);

  beforeEach(() => {
    lines.length = 0;
  });
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  it("gets the bytes", async () => {
    const base = await serve((_request, response) => response.end(Uint8Array.of(0x30, 0x82, 0, 0xff)));
    assert.deepEqual(await get(`${base}/ca.cer`), Uint8Array.of(0x30, 0x82, 0, 0xff));
    assert.deepEqual(lines, []);
  });

  it("follows a few redirects, relative ones too", async () => {
    const base = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("here");
      else response.writeHead(302, { location: left === 1 ? "/0" : `${base}/${left - 1}` }).end();
    });
    assert.equal(new TextDecoder().decode(await get(`${base}/3`)), "here");
    assert.equal(await get(`${base}/4`), undefined);
    assert.match(lines[0] ?? "", /^warn: .*\/4 gave no certificate: more than 3 redirects$/);
  });

  for (const [what, location] of [
    ["a file", "file:///etc/passwd"],
    ["an address that is none", "http://"],
  ] as const) {
    it(`does not follow a redirect to ${what}`, async () => {
      const base = await serve((_request, response) => response.writeHead(301, { location }).end());
      assert.equal(await get(base), undefined);
      assert.match(lines[0] ?? "", /not an http or https address$/);
    });
  }

  it("asks nothing but http and https", async () => {
    for (const url of ["file:///etc/passwd", "ldap://x/y", "data:,x", "nonsense", ""]) {
      assert.equal(await get(url), undefined);
    }
    assert.equal(lines.filter((line) => line.endsWith("not an http or https address")).length, 5);
  });

  it("stops at its size limit, whatever the server announces", async () => {
    const base = await serve((_request, response) => {
      response.write(new Uint8Array(600));
      response.end(new Uint8Array(600));
    });
    assert.equal(await get(base, { maxBytes: 1199 }), undefined);
    assert.match(lines[0] ?? "", /more than 1199 bytes$/);
    assert.equal((await get(base, { maxBytes: 1200 }))?.byteLength, 1200);
  });

  it("stops at its time limit, before and within the answer", async () => {
    const silent = await serve(() => undefined);
    assert.equal(await get(silent, { timeoutMs: 50 }), undefined);
    server?.closeAllConnections();
    server?.close();
    const slow = await serve((_request, response) => void response.write("a"));
    assert.equal(await get(slow, { timeoutMs: 50 }), undefined);
    assert.deepEqual(
      lines.map((line) => line.replace(/.*: /, "")),
      ["no answer in time", "no answer in time"],
    );
  });

  const silences: readonly [string, RequestListener][] = [
    ["before the answer", () => undefined],
    ["within the answer", (_request, response) => void response.write("a")],
  ];
  for (const [when, listener] of silences) {
    it(`stops at its time limit ${when} though garbage is collected meanwhile`, async () => {
      const program = startProgram("test/support/collected-download.ts", [await serve(listener), "300"]);
      try {
        await program.until(/gave no certificate: no answer in time$/m);
      } finally {
        await program.end("SIGKILL");
      }
    });
  }

  it("says why there is nothing", async () => {
    const base = await serve((_request, response) => response.writeHead(404).end("no"));
    assert.equal(await get(`${base}/x`), undefined);
    server?.close();
    server?.closeAllConnections();
    assert.equal(await get(`${base}/x`), undefined);
    assert.match(lines[0] ?? "", /the server answers 404$/);
    assert.match(lines[1] ?? "", /ECONNREFUSED/);
  });
});
