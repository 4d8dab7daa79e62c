import assert from "node:assert/strict";
import { VirtualClock } from "../../../../hw/clock/virtual.ts";
import { type Exported, OpRepDevlist, OpRepImport, UsbipSession } from "../../../../hw/usb-device/usbip/index.ts";
import { concat, decode, encode } from "../../../../shared/bytes/index.ts";
import { EemPacket } from "../../../../shared/eem/index.ts";
import { Feature, Request, type UsbDevice } from "../../../../shared/usb/index.ts";
import { createEemFunction } from "../../../../token/usb/index.ts";
import { frameOf } from "../../../contract/frame-link.ts";
import { readAnswers, usbipBytes } from "../../../support/usbip-peer.ts";

const { submit, control, unlink } = usbipBytes;
const SET_CONFIGURATION = { bmRequestType: 0, bRequest: Request.SetConfiguration, wValue: 1, wIndex: 0, wLength: 0 };
const get = (type: number, wLength: number) => ({
  bmRequestType: 0x80,
  bRequest: Request.GetDescriptor,
  wValue: type << 8,
  wIndex: 0,
  wLength,
});
const eem = (size: number) => encode(EemPacket, { kind: "data", crc: "real", frame: frameOf(size) });
const IN = { ep: 1, direction: 1 } as const;
const OUT = { ep: 1, direction: 0 } as const;

function setUp(change: (usb: UsbDevice) => UsbDevice = (usb) => usb) {
  const fn = createEemFunction({ serial: "TEST" });
  const device = change(fn.usb);
  const { idVendor, idProduct, bcdDevice } = device.descriptors.device;
  const about = {
    path: "/x/1-1",
    busid: "1-1",
    busnum: 1,
    devnum: 2,
    speed: 2,
    idVendor,
    idProduct,
    bcdDevice,
  } as const;
  const classes = { bDeviceClass: 0, bDeviceSubClass: 0, bDeviceProtocol: 0 };
  const counts = { bConfigurationValue: 1, bNumConfigurations: 1, bNumInterfaces: 1 };
  const interfaces = [{ bInterfaceClass: 2, bInterfaceSubClass: 12, bInterfaceProtocol: 7, padding: 0 as const }];
  const exported: Exported = { device, listed: { device: { ...about, ...classes, ...counts }, interfaces } };
  const clock = new VirtualClock();
  const sent: Uint8Array[] = [];
  const ends: string[] = [];
  let taken: Exported | "busy" | "absent" = exported;
  const session = new UsbipSession({
    clock,
    list: () => [exported],
    take: (busid) => (busid === "1-1" ? taken : "absent"),
    send: (bytes) => sent.push(bytes),
    finish: () => ends.push("finished"),
    fail: (reason) => ends.push(reason),
  });
  const sentNow = () => concat(...sent.splice(0));
  const imported = () => {
    session.receive(usbipBytes.import("1-1"));
    assert.equal(decode(OpRepImport, sentNow()).reply.status, 0);
  };
  return {
    fn,
    clock,
    session,
    ends,
    sentNow,
    setTaken(now: typeof taken) {
      taken = now;
    },
    imported,
    configured() {
      imported();
      session.receive(control(1, SET_CONFIGURATION));
      assert.deepEqual(readAnswers(sentNow(), new Set()), [{ seqnum: 1, status: 0, data: new Uint8Array(0) }]);
    },
    /** What was answered to transfers since the last look. */
    answers: (...inward: number[]) => readAnswers(sentNow(), new Set(inward)),
  };
}

describe("USB/IP session", () => {
  it("lists, and that is all", () => {
    const { session, sentNow, ends } = setUp();
    session.receive(concat(usbipBytes.devlist(), usbipBytes.import("1-1")));
    const { reply } = decode(OpRepDevlist, sentNow());
    assert.ok(reply.status === 0);
    assert.deepEqual(reply.devices.map(({ device }) => device.busid), ["1-1"]); // biome-ignore format: one line
    assert.deepEqual(ends, ["finished"]);
  });

  it("refuses what is not there or in use, and says which", () => {
    for (const [busid, taken, status] of [
      ["1-9", "absent", 4],
      ["1-1", "busy", 2],
    ] as const) {
      const { session, setTaken, sentNow, ends } = setUp();
      setTaken(taken);
      session.receive(usbipBytes.import(busid));
      assert.deepEqual(decode(OpRepImport, sentNow()).reply, { status });
      assert.deepEqual(ends, ["finished"]);
    }
  });

  it("resets the bus when a stick is imported, and when its importer is gone", () => {
    let resets = 0;
    const { session, imported } = setUp((usb) => ({ ...usb, busReset: () => resets++ }));
    imported();
    assert.equal(resets, 1);
    session.close();
    assert.equal(resets, 2);
    assert.equal(session.exported, undefined);
  });

  it("carries control transfers: data, none, stall, too little room", () => {
    const { session, imported, answers } = setUp();
    imported();
    session.receive(control(1, get(1, 64)));
    const [first] = answers(1);
    assert.deepEqual([first?.status, first?.data?.byteLength, first?.data?.[8]], [0, 18, 0x34]);
    session.receive(control(2, get(9, 64)));
    session.receive(submit(3, { setup: get(1, 64), direction: 1, transferBufferLength: 4 }));
    session.receive(control(4, SET_CONFIGURATION));
    assert.deepEqual(answers(2, 3, 4).map(({ seqnum, status, data }) => [seqnum, status, data?.byteLength]), [[2, -32, 0], [3, 0, 4], [4, 0, 0]]); // biome-ignore format: a table
    // Data that is not as long as its setup packet says.
    session.receive(submit(5, { setup: { ...SET_CONFIGURATION, wLength: 2 } }, Uint8Array.of(1)));
    session.receive(submit(6, { setup: get(1, 8) }, Uint8Array.of(1)));
    assert.deepEqual(answers().map(({ status }) => status), [-22, -22]); // biome-ignore format: one line
  });

  it("carries bulk transfers, whole, in order, and holds those inward", () => {
    const { session, configured, answers, fn } = setUp();
    configured();
    const got: number[] = [];
    fn.link.onFrame((frame) => got.push(frame.byteLength));
    session.receive(
      concat(submit(2, { ...IN, transferBufferLength: 1_524 }), submit(3, { ...IN, transferBufferLength: 1_524 })),
    );
    session.receive(submit(4, OUT, eem(300)));
    assert.deepEqual([got, answers()], [[314], [{ seqnum: 4, status: 0, data: new Uint8Array(0) }]]);
    fn.link.send(frameOf(5));
    fn.link.send(frameOf(6));
    assert.deepEqual(answers(2, 3), [
      { seqnum: 2, status: 0, data: eem(5) },
      { seqnum: 3, status: 0, data: eem(6) },
    ]);
  });

  it("says that a transfer was short to whom that matters", () => {
    const { session, configured, answers, fn } = setUp();
    configured();
    session.receive(submit(2, { ...IN, transferBufferLength: 1_524, transferFlags: 1 }));
    fn.link.send(frameOf(5));
    assert.deepEqual(answers(2), [{ seqnum: 2, status: -121, data: eem(5) }]);
  });

  it("ends a transfer that fills its packets with an empty one when told to", () => {
    const chunks: number[] = [];
    const { session, configured } = setUp((usb) => ({
      ...usb,
      bulkOut(ep, data) {
        chunks.push(data.byteLength);
        return usb.bulkOut(ep, data);
      },
    }));
    configured();
    for (const [seqnum, size] of [[2, 128], [3, 100], [4, 0]] as const) session.receive(submit(seqnum, { ...OUT, transferFlags: 0x40 }, new Uint8Array(size))); // biome-ignore format: one line
    assert.deepEqual(chunks, [128, 0, 100, 0]);
  });

  it("takes back what is pending, and says when it comes too late", () => {
    const { session, configured, answers, fn } = setUp();
    configured();
    session.receive(
      concat(submit(2, { ...IN, transferBufferLength: 64 }), submit(3, { ...IN, transferBufferLength: 64 })),
    );
    session.receive(unlink(4, 2));
    assert.deepEqual(answers(), [{ seqnum: 4, status: -104, data: undefined }]);
    fn.link.send(frameOf(1));
    assert.deepEqual(answers(3), [{ seqnum: 3, status: 0, data: eem(1) }]);
    session.receive(concat(unlink(5, 3), unlink(6, 2), unlink(7, 99)));
    assert.deepEqual(answers().map(({ seqnum, status }) => [seqnum, status]), [[5, 0], [6, 0], [7, 0]]); // biome-ignore format: a table
  });

  it("answers transfers of halted and missing endpoints with a stall", () => {
    const { session, configured, answers } = setUp();
    configured();
    session.receive(submit(2, { ...IN, transferBufferLength: 64 }));
    const halt = {
      bmRequestType: 2,
      bRequest: Request.SetFeature,
      wValue: Feature.EndpointHalt,
      wIndex: 0x81,
      wLength: 0,
    };
    session.receive(control(3, halt));
    assert.deepEqual(answers(2).map(({ seqnum, status }) => [seqnum, status]), [[3, 0], [2, -32]]); // biome-ignore format: one line
    session.receive(
      concat(submit(4, { ep: 5, direction: 1, transferBufferLength: 8 }), submit(5, { ep: 5 }, new Uint8Array(8))),
    );
    assert.deepEqual(answers(4).map(({ seqnum, status }) => [seqnum, status]), [[4, -32], [5, -32]]); // biome-ignore format: one line
  });

  it("offers again what the device did not take, and in order", () => {
    const { session, configured, answers, fn, clock } = setUp();
    configured();
    const got: number[] = [];
    fn.link.onFrame((frame) => got.push(frame.byteLength));
    fn.usb.suspend();
    session.receive(concat(submit(2, OUT, eem(1)), submit(3, OUT, eem(2)), submit(4, OUT, eem(3))));
    clock.advance(20);
    assert.deepEqual([got, answers()], [[], []]);
    session.receive(unlink(5, 3));
    assert.deepEqual(answers().map(({ status }) => status), [-104]); // biome-ignore format: one line
    fn.usb.resume();
    clock.advance(5);
    assert.deepEqual(got, [15, 17]);
    assert.deepEqual(answers().map(({ seqnum }) => seqnum), [2, 4]); // biome-ignore format: one line
    assert.equal(clock.nextDue(), undefined);
  });

  it("reads a stream in any pieces", () => {
    const whole = concat(
      usbipBytes.import("1-1"),
      control(1, SET_CONFIGURATION),
      submit(2, { ...IN, transferBufferLength: 1_524 }),
      submit(3, OUT, eem(300)),
      control(4, get(2, 255)),
    );
    const all = setUp();
    all.session.receive(whole);
    const expected = all.sentNow();
    for (const size of [1, 2, 7, 47, 48, 49]) {
      const { session, sentNow } = setUp();
      for (let at = 0; at < whole.byteLength; at += size) session.receive(whole.subarray(at, at + size));
      assert.deepEqual(sentNow(), expected, `pieces of ${size}`);
    }
  });

  it("ends with a reason what cannot be right", () => {
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [submit(2, { ...OUT, devid: 0x0001_0003 }), /device 65539, which was not imported here/],
      [
        concat(submit(2, { ...IN, transferBufferLength: 8 }), submit(2, { ...IN, transferBufferLength: 8 })),
        /sequence number 2 twice/,
      ],
      [new Uint8Array(48), /command/],
      [usbipBytes.devlist(), /^$/],
      [
        concat(...Array.from({ length: 257 }, (_, i) => submit(2 + i, { ...IN, transferBufferLength: 8 }))),
        /more than 256 transfers/,
      ],
    ];
    for (const [bytes, reason] of cases) {
      const { session, configured, ends, answers } = setUp();
      configured();
      session.receive(bytes);
      if (reason.source === "^$") assert.deepEqual(ends, [], "too short to tell");
      else assert.match(ends.join(), reason);
      if (ends.length === 0) continue;
      answers();
      session.receive(control(9, get(1, 8)));
      assert.deepEqual(answers(), [], "nothing more is answered");
      session.close();
    }
    const { session, ends } = setUp();
    session.receive(Uint8Array.of(0x01, 0x11, 0x00, 0x03, 0, 0, 0, 0));
    assert.match(ends.join(), /an answer \(0x3\) where a request belongs/);
  });

  it("bounds what a device that takes nothing makes it keep", () => {
    const { session, configured, ends, fn } = setUp();
    configured();
    fn.usb.suspend();
    for (let i = 0; i < 20 && ends.length === 0; i++) session.receive(submit(2 + i, OUT, new Uint8Array(65_536)));
    assert.match(ends.join(), /more than 1048576 bytes pending/);
  });
});
