import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../../hw/clock/real.ts";
import type { ListenAddress } from "../../../../hw/net/listen.ts";
import { openUsbredirServer, type UsbredirServer } from "../../../../hw/usb-device/usbredir/server.ts";
import { TestLog } from "../../../support/coap-pair.ts";
import { FakeDevice, Guest } from "./guest.ts";

/** A guest behind a socket. */
class SocketGuest extends Guest {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  readonly #wake = new Set<() => void>();

  constructor(to: ListenAddress) {
    const socket = createConnection({ ...to });
    super((bytes) => socket.write(bytes));
    this.socket = socket;
    this.closed = once(socket, "close");
    socket.on("error", () => undefined); // told by what the tests look at
    socket.on("data", (bytes) => {
      this.hear(bytes);
      for (const wake of [...this.#wake]) wake();
    });
  }

  async until(type: string): Promise<void> {
    while (!this.types.includes(type)) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#wake.delete(wake);
          resolve();
        };
        this.#wake.add(wake);
      });
    }
  }
}

describe("usbredir server", () => {
  const folder = mkdtempSync(join(tmpdir(), "fobnail-usbredir-"));
  let device = new FakeDevice();
  let log = new TestLog();
  const servers: UsbredirServer[] = [];
  const guests: SocketGuest[] = [];

  const open = async (listen: ListenAddress) => {
    const server = await openUsbredirServer({ listen, device, clock: realClock, log });
    servers.push(server);
    return server;
  };
  const connect = (to: ListenAddress) => {
    const guest = new SocketGuest(to);
    guests.push(guest);
    return guest;
  };

  beforeEach(() => {
    device = new FakeDevice();
    log = new TestLog();
  });
  afterEach(async () => {
    for (const guest of guests.splice(0)) guest.socket.destroy();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [name, listen] of [
    ["a UNIX socket", { path: join(folder, "token.sock") }],
    ["TCP", { host: "127.0.0.1", port: 0 }],
  ] as const) {
    it(`shows the device over ${name}, takes it away and shows it again`, async () => {
      const server = await open(listen);
      server.plug();
      const guest = connect(server.local);
      guest.hello();
      await guest.until("deviceConnect");
      guest.bulkIn(1n, 64);
      device.give(Uint8Array.of(1, 2, 3));
      await guest.until("bulkPacket");
      guest.take();
      server.unplug();
      await guest.until("deviceDisconnect");
      guest.say({ type: "deviceDisconnectAck", id: 0n, body: undefined });
      server.plug();
      await guest.until("deviceConnect");
      assert.equal(device.resets, 3);
    });
  }

  it("is there for the next guest when one is gone, and for one at a time", async () => {
    const server = await open({ path: join(folder, "next.sock") });
    server.plug();
    const first = connect(server.local);
    first.hello();
    await first.until("deviceConnect");
    const second = connect(server.local);
    await second.closed;
    assert.deepEqual(second.got, []);
    assert.match(log.lines.join("\n"), /turned away/);
    first.socket.destroy();
    await first.closed;
    for (;;) {
      const third = connect(server.local);
      third.hello();
      if ((await Promise.race([third.until("deviceConnect"), third.closed.then(() => "closed")])) !== "closed") break;
    }
    assert.equal(device.resets, 3);
  });

  it("lets TCP find out that a machine was switched off", async () => {
    const server = await open({ host: "127.0.0.1", port: 0 });
    const guest = connect(server.local);
    guest.hello();
    await guest.until("hello");
    assert.ok("port" in server.local);
    const port = (decimal = 0) => `:${decimal.toString(16).toUpperCase().padStart(4, "0")} `;
    const ends = `${port(server.local.port)}0100007F${port(guest.socket.localPort)}`;
    const line = readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .find((text) => text.includes(ends));
    assert.match(line ?? "", / 02:[0-9A-F]{8} /, "the timer that runs is keep-alive's (proc_net_tcp.txt)");
  });

  it("closes a connection that breaks the protocol, and says why", async () => {
    const server = await open({ host: "127.0.0.1", port: 0 });
    const guest = connect(server.local);
    guest.socket.write(new Uint8Array(12).fill(0xaa));
    await guest.closed;
    assert.match(log.lines.join("\n"), /warn: usbredir: the connection was closed: usbredir\.type: message type/);
  });

  it("keeps what it sends bounded for a guest that does not read", async () => {
    const server = await open({ path: join(folder, "deaf.sock") });
    server.plug();
    const guest = connect(server.local);
    guest.hello();
    await guest.until("deviceConnect");
    guest.socket.pause();
    const request = guest.encode({
      type: "bulkPacket",
      id: 1n,
      body: { endpoint: 0x81, status: 0, length: 65_536, data: new Uint8Array(0) },
    });
    const pieces = 2_000;
    for (let i = 0; i < pieces; i++) device.data.push(new Uint8Array(65_536));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < pieces; i++) guest.socket.write(request);
    let fetched = -1;
    while (fetched !== pieces - device.data.length) {
      fetched = pieces - device.data.length;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    assert.ok(fetched > 0 && fetched < 64, `${fetched} transfers were fetched for nobody`);
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20);
    guest.socket.resume();
    while (device.data.length > 0) await once(guest.socket, "data");
  }).timeout(20_000);

  it("takes over the socket file of a program that was killed, and no other file", async () => {
    const left = join(folder, "left.sock");
    const script = `require("net").createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    assert.ok(existsSync(left));
    const server = await open({ path: left });
    await assert.rejects(open({ path: left }), /left\.sock is taken by another program \(EADDRINUSE\)/);
    await server.close();
    assert.ok(!existsSync(left));
    writeFileSync(left, "a file");
    await assert.rejects(open({ path: left }), /left\.sock is a file and no socket: remove it, or choose another name/);
    assert.ok(existsSync(left));
    await assert.rejects(open({ path: folder }), /is a folder: a socket needs a name in it/);
    await assert.rejects(open({ path: join(folder, "none", "x.sock") }), /its folder does not exist/);
    await assert.rejects(open({ host: "192.0.2.1", port: 0 }), /TCP port 0 of 192\.0\.2\.1 cannot be had/);
  });

  it("ends its connections when it is closed", async () => {
    const server = await open({ host: "127.0.0.1", port: 0 });
    server.plug();
    const guest = connect(server.local);
    guest.hello();
    await guest.until("deviceConnect");
    await server.close();
    await server.close();
    await guest.closed;
    assert.equal(device.resets, 2);
    device.give(Uint8Array.of(1));
  });
});
