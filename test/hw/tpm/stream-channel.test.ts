import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { StreamChannel } from "../../../hw/tpm/stream-channel.ts";
import { openSwtpm } from "../../../hw/tpm/swtpm.ts";
import { encodeResponse, TpmUnreachable } from "../../../shared/tpm/index.ts";

const OK = encodeResponse({ responseCode: 0, handles: [], parameters: new Uint8Array(0), sessions: [] }, false);
const COMMAND = Uint8Array.of(0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x7b);

/** What one connection does when bytes come. */
type Behaviour = (socket: Socket, received: Buffer) => void;

describe("hw/tpm stream channel", () => {
  let server: Server;
  let connections = 0;
  let behave: Behaviour = () => undefined;
  const sockets = new Set<Socket>();
  let address = { host: "127.0.0.1", port: 0 };

  before(async () => {
    server = createServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on("data", (received) => behave(socket, received));
      socket.on("error", () => socket.destroy()); // the client may go away in the middle
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const bound = server.address();
    assert.ok(bound !== null && typeof bound !== "string");
    address = { host: "127.0.0.1", port: bound.port };
  });

  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const open = (limits = {}) => openSwtpm(address, { answerMs: 200, ...limits });

  it("puts an answer together that comes byte by byte", async () => {
    behave = (socket) => {
      for (const byte of OK) socket.write(Uint8Array.of(byte));
    };
    const tpm = await open();
    assert.deepEqual(new Uint8Array(await tpm.send(COMMAND)), OK);
    await tpm.close();
  });

  it("keeps commands in order, one at a time", async () => {
    let atOnce = 0;
    const answered: number[] = [];
    behave = (socket, received) => {
      atOnce++;
      assert.equal(atOnce, 1);
      answered.push(received[9] ?? 0);
      setImmediate(() => {
        atOnce--;
        socket.write(OK);
      });
    };
    const tpm = await open();
    await Promise.all([1, 2, 3].map((n) => tpm.send(Uint8Array.of(...COMMAND.slice(0, 9), n))));
    assert.deepEqual(answered, [1, 2, 3]);
    await tpm.close();
  });

  const broken: readonly [string, Behaviour, RegExp][] = [
    ["a size under the header's", (socket) => socket.write(Buffer.from("80010000000900000000", "hex")), /no TPM/],
    ["a size over the largest", (socket) => socket.write(Buffer.from("80017fffffff00000000", "hex")), /no TPM/],
    ["what is no TPM at all", (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n"), /no TPM/],
    ["more than one answer", (socket) => socket.write(Buffer.concat([OK, OK])), /more bytes/],
    ["an end in the middle", (socket) => socket.end(OK.slice(0, 7)), /broke/],
    ["silence", () => undefined, /no answer in time/],
  ];
  for (const [name, behaviour, message] of broken) {
    it(`${name} is TpmUnreachable, and the next command gets a connection of its own`, async () => {
      const tpm = await open();
      const before = connections;
      behave = behaviour;
      await assert.rejects(
        tpm.send(COMMAND),
        (error) => error instanceof TpmUnreachable && message.test(error.message),
      );
      behave = (socket) => socket.write(OK);
      assert.deepEqual(new Uint8Array(await tpm.send(COMMAND)), OK);
      assert.equal(connections, before + 1);
      await tpm.close();
    });
  }

  it("an abandoned command rejects with the signal's reason, and its late answer is nobody's", async () => {
    const tpm = await open();
    const abort = new AbortController();
    behave = () => abort.abort(new Error("enough"));
    await assert.rejects(tpm.send(COMMAND, abort.signal), /enough/);
    behave = (socket) => socket.write(OK);
    assert.deepEqual(new Uint8Array(await tpm.send(COMMAND)), OK);
    await assert.rejects(tpm.send(COMMAND, AbortSignal.abort(new Error("before"))), /before/);
    await tpm.close();
  });

  it("lets a stated number wait, and no more", async () => {
    const tpm = await open({ answerMs: 5_000, waiting: 4 });
    const held = new Promise<Socket>((resolve) => {
      behave = resolve;
    });
    const waiting = Array.from({ length: 4 }, () => tpm.send(COMMAND));
    await assert.rejects(tpm.send(COMMAND), /too many requests/);
    const socket = await held;
    behave = (later) => later.write(OK);
    socket.write(OK);
    assert.equal((await Promise.all(waiting)).length, 4);
    await tpm.close();
  });

  it("nothing that listens, and a closed channel, are TpmUnreachable", async () => {
    const nobody = createServer();
    nobody.listen(0, "127.0.0.1");
    await once(nobody, "listening");
    const bound = nobody.address();
    assert.ok(bound !== null && typeof bound !== "string");
    nobody.close();
    await once(nobody, "close");
    await assert.rejects(openSwtpm({ host: "127.0.0.1", port: bound.port }), TpmUnreachable);
    await assert.rejects(openSwtpm({ path: "/nonexistent/tpm.sock" }), TpmUnreachable);
    const channel = new StreamChannel(address);
    await channel.connect();
    await channel.close();
    await assert.rejects(
      channel.exchange(COMMAND, () => 4),
      /closed/,
    );
  });

  for (const [what, use] of [
    ["connects", (channel: StreamChannel) => channel.connect()],
    ["connects for an exchange", (channel: StreamChannel) => channel.exchange(COMMAND, () => 4)],
  ] as const) {
    it(`closed while it ${what}, rejects and leaves no connection`, async () => {
      behave = (socket) => socket.write(OK);
      const channel = new StreamChannel(address);
      const refused = assert.rejects(
        use(channel),
        (error) => error instanceof TpmUnreachable && /the channel is closed/.test(error.message),
      );
      await Promise.resolve(); // its turn comes, and it begins to connect
      await channel.close();
      await refused;
      await channel.close();
      // The server takes connections in their order: one that was left is there when the next one is.
      const later = await open();
      await later.close();
      const left = () => [...sockets].filter((socket) => !socket.destroyed).length;
      while (left() > 0) await new Promise((resolve) => setImmediate(resolve)); // mocha's timeout ends it
    });
  }
});
