/** Streams of USB/IP as strangers send them, to either end: a connection ends with a reason or waits, and the next one works. */
import assert from "node:assert/strict";
import { createConnection, createServer, type Server } from "node:net";
import { realClock } from "../../hw/clock/real.ts";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import {
  type Exported,
  OpCode,
  OpRepDevlist,
  OpRepImport,
  openUsbipServer,
  submitAnswer,
  UrbAnswer,
  UsbipSession,
  unlinkAnswer,
  VERSION,
} from "../../hw/usb-device/usbip/index.ts";
import { openStickLink } from "../../hw/usb-host/stick-link.ts";
import { UsbHostError } from "../../hw/usb-host/usb-host.ts";
import { type Outcome, UsbipClient } from "../../hw/usb-host/usbip-client.ts";
import { createUsbipHost } from "../../hw/usb-host/usbip-host.ts";
import { concat, encode } from "../../shared/bytes/index.ts";
import { EemPacket, MAX_TRANSFER_BYTES } from "../../shared/eem/index.ts";
import { Request, type SetupPacket } from "../../shared/usb/index.ts";
import { createEemFunction, EEM_IN } from "../../token/usb/index.ts";
import { frameOf } from "../contract/frame-link.ts";
import { TestLog } from "../support/coap-pair.ts";
import { createFakeUsbHost } from "../support/fake-usb-host.ts";
import { fuzzedInputs, fuzzInputs } from "../support/fuzz.ts";
import { USBIP_LISTED, usbipBytes } from "../support/usbip-peer.ts";

const { control, submit, unlink } = usbipBytes;
const NO_DATA = new Uint8Array(0);
const SET_CONFIGURATION: SetupPacket = { bmRequestType: 0, bRequest: Request.SetConfiguration, wValue: 1, wIndex: 0, wLength: 0 }; // biome-ignore format: one line
const GET_DEVICE: SetupPacket = { bmRequestType: 0x80, bRequest: Request.GetDescriptor, wValue: 0x0100, wIndex: 0, wLength: 18 }; // biome-ignore format: one line
const eem = (size: number) => encode(EemPacket, { kind: "data", crc: "real", frame: frameOf(size) });
/** What may be kept beside what the machine's own garbage is at any time. */
const MAX_GROWTH_BYTES = 128 * 1_048_576;

const listed = USBIP_LISTED;
const { device } = listed;

/** Behind the import. */
const transfers = [
  concat(control(1, SET_CONFIGURATION), submit(2, { ep: 1, direction: 1, transferBufferLength: 1_536 }), submit(3, { ep: 1 }, eem(60))), // biome-ignore format: one line
  concat(control(1, GET_DEVICE), control(2, SET_CONFIGURATION), submit(4, { ep: 1, direction: 1, transferBufferLength: 64 }), unlink(5, 4)), // biome-ignore format: one line
  concat(control(1, SET_CONFIGURATION), ...[2, 3, 4, 5].map((n) => submit(n, { ep: 1, transferFlags: 0x40 }, eem(44)))),
];
const requests = [usbipBytes.devlist(), usbipBytes.import("1-1"), concat(usbipBytes.import("1-1"), ...transfers)];

function* pieces(bytes: Uint8Array, turn: number): Generator<Uint8Array> {
  const size = [bytes.byteLength, 1, 48, 17][turn % 4] ?? 1;
  for (let at = 0; at < bytes.byteLength; at += Math.max(size, 1)) yield bytes.subarray(at, at + Math.max(size, 1));
}

function assertSmall(before: NodeJS.MemoryUsage): void {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  const growth = arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed;
  assert.ok(growth < MAX_GROWTH_BYTES, `grew by ${growth} bytes`);
}

/** Empty is the end that is none of trouble. */
function endOf([reason]: readonly string[]): "waiting" | "finished" | "reason" {
  if (reason === undefined) return "waiting";
  return reason === "" ? "finished" : "reason";
}

describe("USB/IP under whatever strangers send", function () {
  this.timeout(600_000);

  it("the server's end of a connection ends it with a reason or waits, and the stick works afterwards", () => {
    const fn = createEemFunction({ serial: "TEST" });
    const exported: Exported = { device: fn.usb, listed };
    const clock = new VirtualClock();
    const before = process.memoryUsage();
    const ends = { reason: 0, finished: 0, waiting: 0 };
    const open = (sent: Uint8Array[], reasons: string[]) =>
      new UsbipSession({
        clock,
        list: () => [exported],
        take: (busid) => (busid === "1-1" ? exported : "absent"),
        send: (bytes) => sent.push(bytes),
        finish: () => reasons.push(""),
        fail: (reason) => reasons.push(reason),
      });
    let turn = 0;
    for (const input of fuzzedInputs("USB/IP server", [...requests, ...transfers])) {
      const [sent, reasons]: [Uint8Array[], string[]] = [[], []];
      const session = open(sent, reasons);
      // Half of them reach what lies behind an import.
      if (++turn % 2 === 0) session.receive(usbipBytes.import("1-1"));
      for (const piece of pieces(input, turn)) session.receive(piece);
      if (turn % 3 === 0) fn.link.send(frameOf(100));
      if (turn % 50 === 0) clock.advance(10);
      assert.ok(reasons.length <= 1, "one end");
      ends[endOf(reasons)]++;
      session.close();
      assert.equal(fn.configured, false);
    }
    assert.ok(ends.reason > 0 && ends.finished > 0 && ends.waiting > 0, JSON.stringify(ends));
    assertSmall(before);
    const [sent, reasons]: [Uint8Array[], string[]] = [[], []];
    const session = open(sent, reasons);
    const got: number[] = [];
    fn.link.onFrame((frame) => got.push(frame.byteLength));
    session.receive(concat(usbipBytes.import("1-1"), transfers[0] ?? NO_DATA));
    assert.deepEqual([got, reasons], [[74], []]);
    session.close();
  });

  it("the client's end of a connection gives it up with a reason or waits, and all that was pending is ended once", () => {
    const answers = [
      concat(encode(UrbAnswer, submitAnswer(1, 0, 18)), new Uint8Array(18), encode(UrbAnswer, submitAnswer(2, 0, 0))),
      concat(encode(UrbAnswer, submitAnswer(3, 0, 70)), eem(50), encode(UrbAnswer, unlinkAnswer(5, -104))),
      concat(encode(UrbAnswer, submitAnswer(4, -32, 0)), encode(UrbAnswer, unlinkAnswer(5, 0))),
    ];
    const before = process.memoryUsage();
    const ends = { reason: 0, waiting: 0 };
    let turn = 0;
    for (const input of fuzzedInputs("USB/IP client", answers)) {
      const reasons: string[] = [];
      const outcomes: Outcome[] = [];
      const done = (outcome: Outcome) => outcomes.push(outcome);
      const client = new UsbipClient(0x0001_0002, { send: () => undefined, fail: (reason) => reasons.push(reason) });
      client.control(GET_DEVICE, NO_DATA, done);
      client.control(SET_CONFIGURATION, NO_DATA, done);
      client.bulkIn(EEM_IN, 1_536, done);
      client.unlink(client.bulkIn(EEM_IN, 1_536, done));
      for (const piece of pieces(input, ++turn)) client.receive(piece);
      assert.ok(reasons.length <= 1);
      if (reasons.length === 0) ends.waiting++;
      else ends.reason++;
      client.close();
      client.close();
      assert.equal(outcomes.length, 4);
      for (const { data } of outcomes) assert.ok(data.byteLength <= 1_536);
    }
    assert.ok(ends.reason > 0 && ends.waiting > 0, JSON.stringify(ends));
    assertSmall(before);
  });

  it("a server on a socket serves the next importer", async () => {
    const log = new TestLog();
    const fn = createEemFunction({ serial: "TEST" });
    const clock = new VirtualClock();
    const sticks = [{ busid: "1-1", device: fn.usb }];
    const server = await openUsbipServer({ host: "127.0.0.1", port: 0, sticks, clock, log });
    const { address, port } = server.local;
    const count = Math.ceil(fuzzInputs / 50);
    for (const input of fuzzedInputs("USB/IP socket", [...requests, ...transfers], count)) {
      await new Promise<void>((resolve) => {
        const socket = createConnection({ host: address, port }, () => socket.end(input));
        socket.on("error", () => socket.destroy());
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    assert.ok(log.lines.some((line) => line.includes("was closed: ")));
    const host = createUsbipHost({ host: address, port });
    const [stick] = await host.find();
    assert.ok(stick);
    const link = await openStickLink(await host.claim(stick), { log, clock: realClock });
    const arrived = new Promise<number>((resolve) => fn.link.onFrame((frame) => resolve(frame.byteLength)));
    link.link.send(frameOf(9));
    assert.equal(await arrived, 23);
    await link.close();
    await server.close();
  });

  it("a client of a server that answers nonsense says so, and nothing else", async () => {
    const replies = [
      encode(OpRepDevlist, {
        version: VERSION,
        code: OpCode.RepDevlist,
        reply: { status: 0, devices: [listed, listed] },
      }),
      concat(
        encode(OpRepImport, { version: VERSION, code: OpCode.RepImport, reply: { status: 0, device } }),
        encode(UrbAnswer, submitAnswer(1, 0, 9)),
        Uint8Array.of(9, 2, 32, 0, 1, 1, 0, 0x80, 50),
        encode(UrbAnswer, submitAnswer(2, 0, 0)),
      ),
    ];
    let input: Uint8Array = NO_DATA;
    const server: Server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.resume().end(input);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    server.unref();
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === "object");
    const host = createUsbipHost({ host: "127.0.0.1", port: bound.port, clock: new VirtualClock() });
    const log = new TestLog();
    const stick = { at: "1-1", vendorId: 0x1234, productId: 0x4321, state: "unknown", isToken: true } as const;
    const seen = { found: 0, claimed: 0, refused: 0 };
    let turn = 0;
    for (const nonsense of fuzzedInputs("USB/IP replies", replies, Math.ceil(fuzzInputs / 50))) {
      // Now and then behind a good answer: nearly all that is changed in one makes it none.
      input = ++turn % 3 === 0 ? concat(replies[turn % 2] ?? NO_DATA, nonsense) : nonsense;
      try {
        seen.found += (await host.find()).length;
      } catch (error) {
        assert.ok(error instanceof UsbHostError, String(error));
        seen.refused++;
      }
      try {
        const claimed = await host.claim(stick);
        seen.claimed++;
        await openStickLink(claimed, { log, clock: realClock }).then(
          (link) => link.close(),
          (error: unknown) => assert.ok(error instanceof Error),
        );
      } catch (error) {
        assert.ok(error instanceof UsbHostError, String(error));
        seen.refused++;
      }
    }
    assert.ok(seen.found > 0 && seen.claimed > 0 && seen.refused > 0, JSON.stringify(seen));
    await host.close();
  });

  it("the driver of a stick that sends nonsense carries what comes behind it", async () => {
    const fn = createEemFunction({ serial: "TEST" });
    const clock = new VirtualClock();
    const log = new TestLog();
    const inputs = fuzzedInputs("EEM from a stick", [eem(10), eem(60), concat(eem(20), eem(30))]);
    let nonsense = true;
    let more = () => undefined;
    const host = createFakeUsbHost([
      {
        at: "1-1",
        device: {
          ...fn.usb,
          bulkIn(ep, max) {
            const next = nonsense ? inputs.next() : undefined;
            if (next === undefined || next.done === true) {
              nonsense = false;
              return fn.usb.bulkIn(ep, max);
            }
            return next.value.subarray(0, max);
          },
          onInReady(listener) {
            more = () => {
              listener(EEM_IN);
              return undefined;
            };
            return fn.usb.onInReady(listener);
          },
        },
      },
    ]);
    const [stick] = await host.find();
    assert.ok(stick);
    const link = await openStickLink(await host.claim(stick), { log, clock });
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    while (nonsense) {
      more();
      await turn();
    }
    const { malformed, wrongCrc, lost } = link.counters;
    assert.ok(malformed + wrongCrc > 0);
    assert.ok(lost >= 0);
    const got: number[] = [];
    link.link.onFrame((frame) => got.push(frame.byteLength));
    // The first ones may still be taken for the rest of a packet that nonsense began: of the largest there is.
    const enough = Math.ceil(MAX_TRANSFER_BYTES / frameOf(40).byteLength) + 1;
    for (let i = 0; i < enough; i++) {
      fn.link.send(frameOf(40));
      await turn();
    }
    assert.ok(got.includes(54), got.join());
    assert.deepEqual(log.lines, []);
    await link.close();
  });
});
