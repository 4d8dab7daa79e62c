import assert from "node:assert/strict";
import { concat, encode } from "../../../shared/bytes/index.ts";
import { EemPacket, EemReceiver } from "../../../shared/eem/index.ts";
import { Feature, Request } from "../../../shared/usb/index.ts";
import { createEemFunction, EEM_IN, EEM_OUT, type EemFunctionOptions } from "../../../token/usb/index.ts";
import { frameOf } from "../../contract/frame-link.ts";

const wire = (packet: EemPacket) => encode(EemPacket, packet);
const dataPacket = (size: number): EemPacket => ({ kind: "data", crc: "real", frame: frameOf(size) });

function setUp(options: Partial<EemFunctionOptions> = {}) {
  const fn = createEemFunction({ serial: "TEST", ...options });
  const { usb } = fn;
  const control = (bmRequestType: number, bRequest: number, wValue = 0, wIndex = 0) =>
    usb.control({ bmRequestType, bRequest, wValue, wIndex, wLength: 0 }, new Uint8Array(0));
  const configure = (value = 1) => assert.deepEqual(control(0, Request.SetConfiguration, value), new Uint8Array(0));
  const ready: number[] = [];
  usb.onInReady((ep) => ready.push(ep));
  const frames: Uint8Array[] = [];
  fn.link.onFrame((frame) => frames.push(frame));
  const configured: boolean[] = [];
  fn.onConfigured((now) => configured.push(now));
  return { ...fn, fn, usb, control, configure, ready, frames, configured };
}

describe("EEM function", () => {
  it("is the stick to its host", () => {
    const { usb } = setUp();
    const { device, strings, speed } = usb.descriptors;
    assert.deepEqual([device.idVendor, device.idProduct, speed], [0x1234, 0x4321, "full"]);
    assert.deepEqual(strings.slice(1, 4), ["Fobnail", "Fobnail", "TEST"]);
    assert.throws(() => createEemFunction({ serial: "" }), RangeError);
    assert.throws(() => createEemFunction({ serial: "x".repeat(127) }), RangeError);
  });

  it("carries nothing before it is configured", () => {
    const { usb, link, frames, fn, ready } = setUp();
    link.send(frameOf(5));
    assert.equal(usb.bulkIn(EEM_IN, 64), "stall");
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(5))), "stall");
    assert.deepEqual([frames, ready], [[], []]);
    assert.equal(fn.counters.refused, 1);
  });

  it("carries frames both ways once configured", () => {
    const { usb, link, frames, ready, configure } = setUp();
    configure();
    assert.equal(usb.bulkIn(EEM_IN, 64), "nak");
    link.send(frameOf(5));
    assert.deepEqual(ready, [EEM_IN]);
    assert.deepEqual(usb.bulkIn(EEM_IN, 1_524), wire(dataPacket(5)));
    assert.equal(usb.bulkIn(EEM_IN, 1_524), "nak");
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(6))), "ack");
    assert.deepEqual(frames, [frameOf(6)]);
  });

  it("has no other endpoints", () => {
    const { usb, configure } = setUp();
    configure();
    assert.equal(usb.bulkIn(0x82, 64), "stall");
    assert.equal(usb.bulkOut(0x02, new Uint8Array(1)), "stall");
  });

  it("takes transfers as USB packets too, ended by a short or an empty one", () => {
    const { usb, frames, configure } = setUp();
    configure();
    const transfer = wire(dataPacket(500));
    for (let at = 0; at < transfer.byteLength; at += 64) {
      assert.equal(usb.bulkOut(EEM_OUT, transfer.slice(at, at + 64)), "ack");
    }
    const full = wire(dataPacket(64 - 20));
    assert.equal(full.byteLength, 64);
    usb.bulkOut(EEM_OUT, full);
    usb.bulkOut(EEM_OUT, new Uint8Array(0));
    assert.deepEqual(frames, [frameOf(500), frameOf(44)]);
  });

  it("hands a transfer out in USB packets, whole packets to larger buffers", () => {
    const { usb, link, configure } = setUp();
    configure();
    for (const size of [300, 10]) link.send(frameOf(size));
    const receiver = new EemReceiver({ usbPacketBytes: 64 });
    const got: EemPacket[] = [];
    for (let part = usb.bulkIn(EEM_IN, 64); part instanceof Uint8Array; part = usb.bulkIn(EEM_IN, 64)) {
      assert.ok(part.byteLength <= 64);
      got.push(...receiver.feed(part));
    }
    assert.deepEqual(got, [dataPacket(300), dataPacket(10)]);
    for (const size of [300, 10]) link.send(frameOf(size));
    assert.deepEqual(usb.bulkIn(EEM_IN, 1_524), concat(wire({ kind: "zero-length" }), wire(dataPacket(300))));
    assert.deepEqual(usb.bulkIn(EEM_IN, 1_524), wire(dataPacket(10)));
  });

  it("lets nothing follow a real CRC, which Linux would then find wrong, and bundles packets that have the sentinel", () => {
    const { usb, link, configure } = setUp();
    configure();
    for (let size = 0; size <= 1_500; size++) {
      link.send(frameOf(size));
      const transfer = usb.bulkIn(EEM_IN, 1_524);
      assert.ok(transfer instanceof Uint8Array);
      const packet = wire(dataPacket(size));
      assert.deepEqual(transfer.slice(-packet.byteLength), packet);
      assert.notEqual(transfer.byteLength % 64, 0);
    }
    const other = setUp({ crc: "sentinel" });
    other.configure();
    for (const size of [40, 10]) other.link.send(frameOf(size));
    const both = [40, 10].map((size) => wire({ kind: "data", crc: "sentinel", frame: frameOf(size) }));
    assert.deepEqual(other.usb.bulkIn(EEM_IN, 1_524), concat(...both));
  });

  it("answers echo, ignores hints, reserved commands and noise", () => {
    const { usb, configure, frames } = setUp();
    configure();
    const echo = wire({ kind: "echo", data: Uint8Array.of(9, 8) });
    const commands = [2, 3, 4, 5, 6, 7].map((command) => wire({ kind: "command", command, parameter: 0 }));
    assert.equal(usb.bulkOut(EEM_OUT, concat(...commands, echo)), "ack");
    assert.deepEqual(usb.bulkIn(EEM_IN, 64), wire({ kind: "echo-response", data: Uint8Array.of(9, 8) }));
    assert.equal(usb.bulkOut(EEM_OUT, new Uint8Array(63).fill(0xff)), "ack");
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(3))), "ack");
    assert.deepEqual(frames, [frameOf(3)]);
  });

  it("does not grow for a host that never fetches", () => {
    const { usb, link, configure, fn } = setUp({ maxQueued: 8 });
    configure();
    for (let i = 0; i < 1_000; i++) link.send(frameOf(1_400, i));
    assert.equal(fn.counters.lost, 992);
    const first = usb.bulkIn(EEM_IN, 1_524);
    assert.deepEqual(first, wire({ kind: "data", crc: "real", frame: frameOf(1_400, 992) }));
  });

  it("tells when it is configured and when that ends, once each", () => {
    const { fn, usb, configure, configured } = setUp();
    usb.busReset();
    configure();
    configure();
    assert.equal(fn.configured, true);
    configure(0);
    usb.busReset();
    configure();
    usb.busReset();
    usb.busReset();
    assert.deepEqual(configured, [true, false, true, false]);
    assert.equal(fn.configured, false);
  });

  it("starts empty after every bus reset and configuration", () => {
    const { usb, link, configure, frames } = setUp();
    configure();
    link.send(frameOf(5));
    usb.bulkOut(EEM_OUT, wire(dataPacket(100)).slice(0, 64));
    usb.busReset();
    configure();
    assert.equal(usb.bulkIn(EEM_IN, 64), "nak");
    link.send(frameOf(300));
    usb.bulkIn(EEM_IN, 64);
    configure();
    assert.equal(usb.bulkIn(EEM_IN, 64), "nak");
    usb.bulkOut(EEM_OUT, wire(dataPacket(7)));
    assert.deepEqual(frames, [frameOf(7)]);
  });

  it("can be heard from the moment it tells", () => {
    const { fn, usb, configure } = setUp();
    fn.onConfigured((now) => now && fn.link.send(frameOf(1)));
    configure();
    assert.deepEqual(usb.bulkIn(EEM_IN, 64), wire(dataPacket(1)));
  });

  it("rests while suspended, and goes on after", () => {
    const { usb, link, configure, ready, frames } = setUp();
    configure();
    usb.suspend();
    link.send(frameOf(1));
    assert.deepEqual(ready, []);
    assert.equal(usb.bulkIn(EEM_IN, 64), "nak");
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(2))), "nak");
    usb.resume();
    assert.deepEqual(ready, [EEM_IN]);
    assert.deepEqual(usb.bulkIn(EEM_IN, 64), wire(dataPacket(1)));
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(2))), "ack");
    assert.deepEqual(frames, [frameOf(2)]);
  });

  it("stalls a halted endpoint until the halt is cleared", () => {
    const { usb, link, configure, control, ready } = setUp();
    configure();
    control(2, Request.SetFeature, Feature.EndpointHalt, EEM_IN);
    control(2, Request.SetFeature, Feature.EndpointHalt, EEM_OUT);
    link.send(frameOf(1));
    assert.deepEqual(ready, []);
    assert.equal(usb.bulkIn(EEM_IN, 64), "stall");
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(2))), "stall");
    control(2, Request.ClearFeature, Feature.EndpointHalt, EEM_IN);
    assert.deepEqual(ready, [EEM_IN]);
    assert.deepEqual(usb.bulkIn(EEM_IN, 64), wire(dataPacket(1)));
    control(2, Request.ClearFeature, Feature.EndpointHalt, EEM_OUT);
    assert.equal(usb.bulkOut(EEM_OUT, wire(dataPacket(2))), "ack");
  });

  it("waits for the host's first word when told to, as the reference stick does", () => {
    const { usb, link, configure, ready } = setUp({ waitForHost: true, crc: "sentinel" });
    configure();
    link.send(frameOf(1));
    assert.equal(usb.bulkIn(EEM_IN, 64), "nak");
    usb.bulkOut(EEM_OUT, wire({ kind: "command", command: 5, parameter: 0 }));
    assert.deepEqual(ready, [EEM_IN]);
    assert.deepEqual(usb.bulkIn(EEM_IN, 64), wire({ kind: "data", crc: "sentinel", frame: frameOf(1) }));
  });

  it("tells nobody who left", () => {
    const { fn, usb, configure } = setUp();
    const leave = usb.onInReady(() => assert.fail("left"));
    const leaveToo = fn.onConfigured(() => assert.fail("left"));
    leave();
    leaveToo();
    configure();
    fn.link.send(frameOf(1));
    assert.equal(fn.counters.framesSent, 1);
  });
});
