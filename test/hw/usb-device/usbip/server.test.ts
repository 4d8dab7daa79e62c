import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createConnection, type Socket } from "node:net";
import { promisify } from "node:util";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import {
  OpRepDevlist,
  OpRepImport,
  openUsbipServer,
  opReplyBytes,
  type UsbipServer,
} from "../../../../hw/usb-device/usbip/index.ts";
import { concat, decode, encode, u32be } from "../../../../shared/bytes/index.ts";
import { Request } from "../../../../shared/usb/index.ts";
import { createEemFunction, type EemFunction } from "../../../../token/usb/index.ts";
import { TestLog } from "../../../support/coap-pair.ts";
import { needs } from "../../../support/programs.ts";
import { readAnswers, usbipBytes } from "../../../support/usbip-peer.ts";

const GET_DEVICE = { bmRequestType: 0x80, bRequest: Request.GetDescriptor, wValue: 0x0100, wIndex: 0, wLength: 18 };
const GET_SERIAL = { ...GET_DEVICE, wValue: 0x0303, wIndex: 0x0409, wLength: 255 };
const SET_CONFIGURATION = { bmRequestType: 0, bRequest: Request.SetConfiguration, wValue: 1, wIndex: 0, wLength: 0 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function until(done: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 20_000 && !done(); i++) await turn();
  assert.ok(done(), what);
}

/** A connection that keeps all it gets. */
class Peer {
  readonly socket: Socket;
  readonly #got: Uint8Array[] = [];
  closed = false;

  constructor(server: UsbipServer) {
    const { address, port } = server.local;
    this.socket = createConnection({ host: address, port, noDelay: true });
    this.socket.on("data", (chunk: Uint8Array) => this.#got.push(chunk));
    this.socket.on("error", () => this.socket.destroy());
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  get got(): Uint8Array {
    return concat(...this.#got);
  }

  send(bytes: Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** The reply to the request before the transfers; what follows stays. */
  async reply(): Promise<Uint8Array> {
    const whole = () => {
      const { got } = this;
      let size = 8;
      for (let more = opReplyBytes(got.subarray(0, size)); more !== size && more <= got.byteLength; ) {
        size = more;
        more = opReplyBytes(got.subarray(0, size));
      }
      return got.byteLength >= size && opReplyBytes(got.subarray(0, size)) === size ? size : undefined;
    };
    await until(() => this.got.byteLength >= 8 && whole() !== undefined, "a reply");
    const size = whole() ?? 0;
    const { got } = this;
    this.#got.splice(0, this.#got.length, got.subarray(size));
    return got.subarray(0, size);
  }

  async import(busid = "1-1"): Promise<number> {
    return decode(OpRepImport, await this.send(usbipBytes.import(busid)).reply()).reply.status;
  }

  async list(): Promise<string[]> {
    const { reply } = decode(OpRepDevlist, await this.send(usbipBytes.devlist()).reply());
    assert.ok(reply.status === 0);
    return reply.devices.map(({ device }) => device.busid);
  }
}

describe("USB/IP server", () => {
  let server: UsbipServer;
  let log: TestLog;
  let clock: VirtualClock;
  let functions: readonly [EemFunction, EemFunction];
  const peers: Peer[] = [];
  const connect = () => {
    const peer = new Peer(server);
    peers.push(peer);
    return peer;
  };
  const warnings = () => log.lines.filter((line) => line.startsWith("warn"));

  beforeEach(async () => {
    log = new TestLog();
    clock = new VirtualClock();
    functions = [createEemFunction({ serial: "A".repeat(126) }), createEemFunction({ serial: "B" })];
    const [a, b] = functions;
    const sticks = [
      { busid: "1-1", device: a.usb },
      { busid: "1-2", device: b.usb },
    ];
    server = await openUsbipServer({ host: "127.0.0.1", port: 0, sticks, clock, log });
  });
  afterEach(async () => {
    for (const { socket } of peers.splice(0)) socket.destroy();
    await server.close();
  });

  it("lists what is plugged in, and closes the connection", async () => {
    const first = connect();
    assert.deepEqual(await first.list(), ["1-1", "1-2"]);
    await until(() => first.closed, "closed");
    server.unplug("1-1");
    server.unplug("1-1");
    assert.deepEqual(await connect().list(), ["1-2"]);
    server.plug("1-1");
    assert.deepEqual(await connect().list(), ["1-1", "1-2"]);
    assert.throws(() => server.plug("1-3"), RangeError);
  });

  it("lets one importer have a stick, and the next when it is gone", async () => {
    const first = connect();
    assert.equal(await first.import(), 0);
    assert.match(server.importer("1-1") ?? "", /^127\.0\.0\.1:\d+$/);
    assert.equal(await connect().import(), 2);
    assert.equal(await connect().import("1-2"), 0);
    assert.equal(await connect().import("2-1"), 4);
    first.send(usbipBytes.control(1, SET_CONFIGURATION));
    await until(() => functions[0].configured, "configured");
    first.socket.end();
    await until(() => server.importer("1-1") === undefined, "let go of");
    assert.equal(functions[0].configured, false);
    assert.equal(await connect().import(), 0);
  });

  it("takes a stick away from its importer when it is unplugged", async () => {
    const peer = connect();
    assert.equal(await peer.import(), 0);
    peer.send(usbipBytes.control(1, SET_CONFIGURATION));
    await until(() => functions[0].configured, "configured");
    server.unplug("1-1");
    assert.equal(functions[0].configured, false);
    await until(() => peer.closed, "closed");
    assert.equal(await connect().import(), 4);
    server.plug("1-1");
    assert.equal(await connect().import(), 0);
  });

  it("bears a peer that sends one byte at a time", async () => {
    const peer = connect();
    const bytes = concat(usbipBytes.import("1-1"), usbipBytes.control(1, GET_DEVICE));
    for (const byte of bytes) {
      peer.send(Uint8Array.of(byte));
      await turn();
    }
    assert.equal(decode(OpRepImport, await peer.reply()).reply.status, 0);
    await until(() => peer.got.byteLength === 48 + 18, "an answer");
    assert.deepEqual(readAnswers(peer.got, new Set([1])).map(({ status }) => status), [0]); // biome-ignore format: one line
  });

  it("reads nothing more from a peer that does not fetch its answers, and goes on when it does", async function () {
    this.timeout(20_000);
    const peer = connect();
    assert.equal(await peer.import(), 0);
    peer.socket.pause();
    // More than all buffers between the two hold, both ways: again and again a large transfer and a hundred long answers.
    const count = 400;
    const each = 100;
    const inward = new Set<number>();
    const refused = usbipBytes.submit(0, { ep: 5 }, new Uint8Array(65_536));
    const asked = usbipBytes.control(0, GET_SERIAL);
    let seqnum = 0;
    const numbered = (request: Uint8Array) => {
      const bytes = request.slice();
      bytes.set(encode(u32be, ++seqnum), 4);
      return bytes;
    };
    for (let i = 0; i < count; i++) {
      const requests = [numbered(refused), ...Array.from({ length: each }, () => numbered(asked))];
      for (let k = 0; k < each; k++) inward.add(seqnum - k);
      peer.send(concat(...requests));
    }
    let left = -1;
    for (let quiet = 0; quiet < 2_000; ) {
      await turn();
      quiet = peer.socket.writableLength === left ? quiet + 1 : 0;
      left = peer.socket.writableLength;
    }
    assert.ok(left > 1_000_000, `only ${left} bytes were left unread`);
    assert.equal(await connect().import("1-2"), 0, "others are served");
    peer.socket.resume();
    await until(() => peer.socket.bytesRead >= count * (48 + each * (48 + 254)), "all answers");
    const answers = readAnswers(peer.got, inward);
    assert.deepEqual(answers.map((answer) => answer.seqnum), Array.from({ length: seqnum }, (_, i) => i + 1)); // biome-ignore format: one line
    assert.ok(answers.every(({ seqnum, status }) => status === (inward.has(seqnum) ? 0 : -32)));
  });

  it("closes what cannot be right, with a reason in the log", async () => {
    const peer = connect();
    peer.send(Uint8Array.from({ length: 48 }, (_, i) => i));
    await until(() => peer.closed, "closed");
    assert.match(warnings().join(), /the connection of 127\.0\.0\.1:\d+ was closed: op_common\.version/);
    const importer = connect();
    assert.equal(await importer.import(), 0);
    importer.send(usbipBytes.submit(1, { devid: 1 }));
    await until(() => importer.closed && server.importer("1-1") === undefined, "closed");
    assert.match(warnings().join(), /a transfer for device 1/);
  });

  it("closes what asks for nothing, and takes no more connections than it can have", async () => {
    const all = Array.from({ length: 64 }, () => connect());
    await until(() => all.every(({ socket }) => socket.readyState === "open"), "connected");
    const one = connect();
    await until(() => one.closed, "closed");
    assert.match(warnings().join(), /64 connections are open/);
    assert.equal(await all[0]?.import(), 0);
    clock.advance(10_000);
    await until(() => all.filter(({ closed }) => closed).length === 63, "closed");
    assert.match(warnings().join(), /no stick was asked for within 10 s/);
    assert.equal(await connect().import(), 2, "the importer is not closed");
  });

  it("says why a port cannot be had, and refuses bus ids that are none or twice", async () => {
    const [{ usb: device }] = functions;
    const open = (port: number, ...busids: string[]) =>
      openUsbipServer({ host: "127.0.0.1", port, sticks: busids.map((busid) => ({ busid, device })), clock, log });
    await assert.rejects(
      open(server.local.port, "1-1"),
      /^Error: TCP port \d+ of 127\.0\.0\.1 cannot be had: it is taken by another program$/,
    );
    await assert.rejects(open(0, "x"), RangeError);
    await assert.rejects(open(0, "1-1", "1-1"), RangeError);
  });

  it("is understood by Linux' usbip program", async function () {
    needs(this, "usbip");
    const { port } = server.local;
    const { stdout } = await promisify(execFile)("usbip", ["--tcp-port", `${port}`, "list", "-r", "127.0.0.1"]);
    assert.match(stdout, /1-1: .*\(1234:4321\)/);
    assert.match(stdout, /1-2: .*\(1234:4321\)/);
    assert.match(stdout, /\/sys\/devices\/platform\/fobnail\/usb1\/1-1/);
    assert.match(stdout, /Communications.*\(02\/0c\/07\)/);
    assert.deepEqual(warnings(), []);
  });
});
