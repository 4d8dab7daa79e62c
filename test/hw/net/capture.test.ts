import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { FileError } from "../../../hw/files/index.ts";
import { type Capture, createCapture } from "../../../hw/net/capture.ts";
import { openCaptureFile } from "../../../hw/net/capture-file.ts";
import { createMemoryLinkPair } from "../../../hw/net/memory.ts";
import { BlockType, PcapngBlock } from "../../../hw/net/pcapng.ts";
import { seededRandom } from "../../../hw/random/seeded.ts";
import { createMemoryUsbHost } from "../../../hw/usb-host/memory.ts";
import { concat, Reader, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { Code, createEndpoint } from "../../../shared/coap/index.ts";
import { createHost } from "../../../shared/net/index.ts";
import type { Calendar, Log } from "../../../shared/ports/index.ts";
import type { UsbDevice } from "../../../shared/usb/index.ts";
import { createEemFunction } from "../../../token/usb/index.ts";
import { datagramPortContract } from "../../contract/datagram-port.ts";
import { frameLinkContract, frameOf } from "../../contract/frame-link.ts";
import { DatagramNet } from "../../support/datagram-net.ts";
import { needs } from "../../support/programs.ts";

const TOKEN = { mac: Uint8Array.of(0, 0x11, 0x22, 0x33, 0x44, 0x55), address: "169.254.0.1" };
const COMPUTER = { mac: Uint8Array.of(2, 0, 0, 0, 0, 8), address: "169.254.0.8" };
/** 2020-01-01T00:00:00Z. */
const calendar: Calendar = { today: () => 1_577_836_800_000 };
const silent: Log = { write: () => undefined };

/** A capture in memory, and what was written. */
function memoryCapture(clock = new VirtualClock(1_000)) {
  const written: Uint8Array[] = [];
  const capture = createCapture((bytes) => written.push(bytes.slice()), { clock, calendar });
  const blocks = (): readonly PcapngBlock[] => {
    const from = new Reader(concat(...written));
    const all: PcapngBlock[] = [];
    while (from.remaining > 0) all.push(PcapngBlock.read(from));
    return all;
  };
  return { clock, capture, blocks, file: () => concat(...written) };
}

const text = new TextDecoder();

/** One line a packet: interface, time since the begin, direction, size, then its comments. */
function linesOf(blocks: readonly PcapngBlock[]): readonly string[] {
  return blocks.flatMap((block) => {
    if (block.type !== BlockType.EnhancedPacket) return [];
    const { interface: number, timestamp, data, options } = block.body;
    const flags = options.find(({ code }) => code === 2)?.value[0];
    const comments = options.filter(({ code }) => code === 1).map(({ value }) => text.decode(value));
    const ms = Number(timestamp / 1_000n) / 1_000 - calendar.today();
    return [
      `${number} +${ms} ms ${flags === 1 ? "in" : "out"} ${data.byteLength}`,
      ...comments.map((one) => `  ${one}`),
    ];
  });
}

frameLinkContract("captured", () => {
  const [a, b] = createMemoryLinkPair();
  return { a: memoryCapture().capture.wrapLink(a, "a"), b, settle: () => undefined };
});

/** A stick in a computer's port, captured. */
function stick(capture: Capture, clock: VirtualClock, wrap: (device: UsbDevice) => UsbDevice = (device) => device) {
  const fn = createEemFunction({ serial: "TEST" });
  const bus = createMemoryUsbHost(wrap(capture.wrapUsb(fn.usb, "stick")));
  const token = createHost({ link: fn.link, clock, ...TOKEN });
  const computer = createHost({ link: bus.link, clock, ...COMPUTER });
  return { fn, bus, token, computer };
}

describe("capture", () => {
  it("shows the transfers of a stick that is plugged in, pinged and unplugged, and its frames in the order of the bus", async () => {
    const { clock, capture, blocks } = memoryCapture();
    const { bus, computer } = stick(capture, clock);
    bus.plug();
    clock.advance(1.5);
    await computer.ping(TOKEN.address, new Uint8Array(56));
    clock.advance(10);
    bus.unplug();
    capture.close();
    const lines = linesOf(blocks());
    assert.deepEqual(lines.filter((line) => !line.startsWith("  ")), [
      "0 +1.5 ms in 42", "0 +1.5 ms out 42", "0 +1.5 ms in 98", "0 +1.5 ms out 98",
    ]); // biome-ignore format: one line, one claim
    assert.deepEqual(lines.slice(1, 5), [
      "  USB bus reset",
      "  USB control: GET_DESCRIPTOR(device), wLength 64: 18 bytes",
      "  USB bus reset",
      "  USB control: SET_ADDRESS(5): done",
    ]);
    assert.ok(lines.includes("  USB control: GET_DESCRIPTOR(configuration), wLength 9: 9 bytes"), lines.join("\n"));
    assert.ok(lines.includes("  USB control: GET_DESCRIPTOR(string 3), wLength 255: 10 bytes"), lines.join("\n"));
    assert.ok(lines.includes("  USB control: SET_CONFIGURATION(1): done"));
    const last = lines.slice(lines.indexOf("0 +1.5 ms out 42"));
    assert.deepEqual(last.slice(0, 6), [
      "0 +1.5 ms out 42",
      "  USB bulk IN 0x81: 48 bytes",
      "0 +1.5 ms in 98",
      "  USB bulk OUT 0x01: 104 bytes",
      "0 +1.5 ms out 98",
      "  USB bulk IN 0x81: 104 bytes",
    ]);
    const end = blocks().at(-1);
    assert.ok(end?.type === BlockType.InterfaceStatistics);
    assert.deepEqual(end.body.options.map(({ value }) => text.decode(value)), ["USB bus reset"]); // biome-ignore format: one claim
  });

  it("tells of an answer behind what caused it, though the bus asks within the call", () => {
    const { clock, capture, blocks } = memoryCapture();
    let device: UsbDevice | undefined;
    stick(capture, clock, (captured) => {
      device = captured;
      return captured;
    });
    assert.ok(device !== undefined);
    const usb = device;
    usb.busReset();
    usb.control({ bmRequestType: 0, bRequest: 9, wValue: 1, wIndex: 0, wLength: 0 }, new Uint8Array(0));
    usb.onInReady((ep) => {
      usb.bulkIn(ep, 1_524);
      usb.bulkIn(ep, 1_524); // nothing more: not told
    });
    const arp = "ffffffffffff020000000008080600010800060400010200000000 08a9fe0008000000000000a9fe0001";
    const frame = Buffer.from(arp.replaceAll(" ", ""), "hex");
    const sentinel = Uint8Array.of(0xde, 0xad, 0xbe, 0xef);
    usb.bulkOut(0x01, concat(Uint8Array.of(frame.length + 4, 0), frame, sentinel));
    assert.deepEqual(linesOf(blocks()), [
      "0 +0 ms in 42",
      "  USB bus reset",
      "  USB control: SET_CONFIGURATION(1): done",
      "  USB bulk OUT 0x01: 48 bytes",
      "0 +0 ms out 42",
      "  USB bulk IN 0x81: 48 bytes",
    ]);
  });

  it("says what is no frame: stalls, echoes, hints, damage, foreign requests", () => {
    const { clock, capture, blocks } = memoryCapture();
    const { fn } = stick(capture, clock);
    const usb = capture.wrapUsb(fn.usb, "again");
    usb.busReset();
    const control = (bmRequestType: number, bRequest: number, wValue = 0, wIndex = 0, wLength = 0) =>
      usb.control({ bmRequestType, bRequest, wValue, wIndex, wLength }, new Uint8Array(0));
    control(0x00, 9, 1);
    control(0x01, 11);
    control(0x02, 3, 0, 0x81);
    control(0x02, 1, 0, 0x81);
    control(0x80, 6, 0x0600, 0, 10);
    control(0x21, 0x43, 0x0c, 0, 0);
    usb.bulkOut(0x02, Uint8Array.of(1));
    usb.bulkIn(0x82, 64);
    usb.suspend();
    usb.resume();
    usb.bulkOut(0x01, Uint8Array.of(0x02, 0x80, 0xaa, 0xbb)); // an echo
    usb.bulkIn(0x81, 64);
    usb.bulkOut(0x01, Uint8Array.of(0x00, 0xa8)); // a tickle
    usb.bulkOut(0x01, Uint8Array.of(0x02, 0x00, 0xff)); // a length that cannot be
    capture.close();
    const end = blocks().at(-1);
    assert.ok(end?.type === BlockType.InterfaceStatistics);
    assert.equal(end.body.interface, 1);
    assert.deepEqual(
      end.body.options.map(({ value }) => text.decode(value)),
      [
        "USB bus reset",
        "USB control: SET_CONFIGURATION(1): done",
        "USB control: SET_INTERFACE(interface 0, setting 0): done",
        "USB control: SET_FEATURE(ENDPOINT_HALT, endpoint 0x81): done",
        "USB control: CLEAR_FEATURE(ENDPOINT_HALT, endpoint 0x81): done",
        "USB control: GET_DESCRIPTOR(device_qualifier), wLength 10: stall",
        "USB control: request 0x21 0x43 0x000c 0x0000: stall",
        "USB bulk OUT 0x02: stall",
        "USB bulk IN 0x82: stall",
        "USB suspend",
        "USB resume",
        "USB bulk OUT 0x01: 4 bytes",
        "EEM echo, 2 bytes",
        "USB bulk IN 0x81: 4 bytes",
        "EEM echo-response, 2 bytes",
        "USB bulk OUT 0x01: 2 bytes",
        "EEM command 5, parameter 0",
        "USB bulk OUT 0x01: 3 bytes",
        "no EEM packet, or a damaged one",
      ],
    );
  });

  it("keeps 32 comments for a packet and counts the others", () => {
    const { capture, blocks } = memoryCapture();
    const one = capture.ethernet("one", "");
    for (let i = 0; i < 1_000; i++) one.comment(`comment ${i}`);
    one.packet("out", frameOf(1));
    one.packet("in", frameOf(2));
    const lines = linesOf(blocks());
    assert.equal(lines.length, 1 + 32 + 1 + 1);
    assert.equal(lines.at(-2), "  and 968 more");
    assert.equal(lines.at(-1), "0 +0 ms in 16");
  });

  it("writes nothing after close, and passes everything on all the same", () => {
    const { capture, file } = memoryCapture();
    const [a, b] = createMemoryLinkPair();
    const wrapped = capture.wrapLink(a, "a");
    const got: number[] = [];
    b.onFrame((frame) => got.push(frame.byteLength));
    wrapped.send(frameOf(1));
    capture.close();
    const { byteLength } = file();
    wrapped.send(frameOf(2));
    capture.wrapLink(b, "b");
    capture.close();
    assert.equal(file().byteLength, byteLength);
    assert.deepEqual(got, [15, 16]);
  });
});

datagramPortContract("captured", async () => {
  const net = new DatagramNet();
  const { capture } = memoryCapture();
  const open = (port: number) => capture.wrapPort(net.open("127.0.0.1", port), "socket");
  const [a, b] = [open(1), open(2)];
  return {
    a,
    b,
    async until(done) {
      for (let turn = 0; !done(); turn++) assert.ok(turn < 10);
    },
    async close() {
      await a.close();
      await b.close();
    },
  };
});

describe("capture in a file", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "fobnail-capture-"));
  const path = (name: string) => join(folder, name);
  const clock = new VirtualClock();
  const open = (file: string, log = silent) => {
    const capture = openCaptureFile(file, { clock, calendar, log });
    capture.begin();
    return capture;
  };

  before(function () {
    needs(this, "tshark");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const tshark = (file: string, filter: string, ...fields: readonly string[]): readonly string[] => {
    const args = ["-n", "-r", file, "-Y", filter, "-T", "fields", ...fields.flatMap((field) => ["-e", field])];
    const said = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return said.split("\n").filter((line) => line !== "");
  };

  it("is read by Wireshark: ARP, ICMP and CoAP, directions, times, interfaces and the transfers as comments", async () => {
    const file = path("stick.pcapng");
    const capture = open(file);
    const { bus, token, computer } = stick(capture, clock);
    bus.plug();
    await computer.ping(TOKEN.address, new Uint8Array(1_472));
    const random = seededRandom(1);
    const server = createEndpoint({ port: token.udp(5683), clock, random });
    server.serve(() => ({ code: Code.Content, payload: utf8("0.1.0") }));
    const client = createEndpoint({ port: computer.udp(), clock, random });
    clock.advance(2);
    const asked = client.request({ address: TOKEN.address, port: 5683 }, { method: "GET", path: "/api/version" });
    clock.advance(0); // the answer is there: it waits for the asker's turn
    await asked;
    capture.close();

    assert.deepEqual(tshark(file, "arp", "arp.opcode", "arp.dst.proto_ipv4", "frame.packet_flags_direction"), [
      "1\t169.254.0.1\t0x00000001",
      "2\t169.254.0.8\t0x00000002",
    ]);
    assert.deepEqual(tshark(file, "icmp", "icmp.type", "data.len", "frame.interface_name"), [
      "8\t1472\tstick",
      "0\t1472\tstick",
    ]);
    assert.deepEqual(tshark(file, "coap", "coap.code", "coap.opt.uri_path", "frame.time_epoch"), [
      "1\tapi,version\t1577836800.002000000",
      "69\t\t1577836800.002000000",
    ]);
    assert.deepEqual(tshark(file, 'frame.comment contains "SET_CONFIGURATION(1): done"', "frame.number"), ["1"]);
    assert.deepEqual(tshark(file, 'frame.comment == "USB bulk OUT 0x01: 1520 bytes"', "icmp.type"), ["8"]);
    assert.deepEqual(tshark(file, "_ws.malformed || _ws.expert.severity >= 0x600000", "frame.number"), []);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it("leaves the file as it was until the program comes to work", () => {
    const file = path("before.pcapng");
    writeFileSync(file, "of another run");
    const capture = openCaptureFile(file, { clock, calendar, log: silent });
    capture.close();
    assert.equal(readFileSync(file, "utf8"), "of another run");
    open(file).close();
    assert.equal(toHex(readFileSync(file).subarray(0, 4)), "0a0d0d0a");
  });

  it("is read by Wireshark: datagrams of a socket, as IP packets", () => {
    const file = path("socket.pcapng");
    const net = new DatagramNet();
    const capture = open(file);
    const server = capture.wrapPort(net.open("127.0.0.1", 5683), "udp");
    server.onDatagram((datagram, from) =>
      server.send(Uint8Array.of(0x70, 0, datagram[2] ?? 0, datagram[3] ?? 0), from),
    );
    net.open("127.0.0.1", 40_000).send(Uint8Array.of(0x40, 0, 0xab, 0xcd), server.local); // a CoAP ping
    capture.close();
    assert.deepEqual(
      tshark(file, "coap && ip.checksum.status != 0", "ip.src", "udp.srcport", "coap.type", "coap.mid"),
      ["127.0.0.1\t40000\t0\t43981", "127.0.0.1\t5683\t3\t43981"],
    );
  });

  it("replaces what stood there, and is whole after each packet", () => {
    const file = path("old.pcapng");
    writeFileSync(file, "x".repeat(100_000));
    const one = open(file).ethernet("one", "one");
    const empty = readFileSync(file).byteLength;
    assert.ok(empty < 200, `${empty}`);
    one.packet("in", frameOf(50));
    assert.deepEqual(tshark(file, "frame", "frame.len"), ["64"]);
  });

  it("refuses what is no file, with a sentence", () => {
    mkdirSync(path("folder"));
    execFileSync("mkfifo", [path("pipe")]);
    for (const [name, sentence] of [
      ["folder", /folder cannot be written: it is a folder/],
      ["none/file", /none\/file cannot be written: its folder is not there/],
      ["pipe", /pipe cannot be written: ENXIO/],
    ] as const) {
      assert.throws(() => open(path(name)), (error) => error instanceof FileError && sentence.test(error.message)); // biome-ignore format: one claim
    }
    assert.throws(() => open("/dev/null"), /\/dev\/null is no ordinary file: a capture needs one/);
  });
});
