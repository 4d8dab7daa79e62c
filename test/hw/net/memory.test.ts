import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { faultyLink } from "../../../hw/net/faults.ts";
import { createMemoryLinkPair } from "../../../hw/net/memory.ts";
import { frameLinkContract, frameOf } from "../../contract/frame-link.ts";

frameLinkContract("in memory", () => {
  const [a, b] = createMemoryLinkPair();
  return { a, b, settle: () => undefined };
});

frameLinkContract("in memory, by microtasks", () => {
  const [a, b] = createMemoryLinkPair({ schedule: queueMicrotask });
  return { a, b, settle: () => new Promise((resolve) => setImmediate(resolve)) };
});

frameLinkContract("faultless faulty link", () => {
  const [a, b] = createMemoryLinkPair();
  return { a: faultyLink(a, (frame) => [{ frame }]), b, settle: () => undefined };
});

describe("memory link pair", () => {
  it("holds at most as many frames as it says", () => {
    let drain: () => void = () => assert.fail("nothing was scheduled");
    const [a, b] = createMemoryLinkPair({
      maxQueued: 3,
      schedule: (run) => {
        drain = run;
      },
    });
    let got = 0;
    b.onFrame(() => got++);
    for (let i = 0; i < 10; i++) a.send(frameOf(i));
    drain();
    assert.equal(got, 3);
  });

  it("still delivers the other frames when a listener throws", () => {
    const [a, b] = createMemoryLinkPair();
    const got: number[] = [];
    a.onFrame(() => {
      for (const size of [1, 2, 3]) a.send(frameOf(size));
    });
    b.onFrame((frame) => {
      got.push(frame.byteLength - 14);
      if (frame.byteLength === 15) throw new Error("a bug");
    });
    assert.throws(() => b.send(frameOf(0)), /a bug/);
    assert.deepEqual(got, [1, 2, 3]);
  });
});

describe("faulty link", () => {
  it("loses, damages, doubles and delays", () => {
    const clock = new VirtualClock();
    const [near, b] = createMemoryLinkPair();
    const script = [
      () => [],
      (frame: Uint8Array) => [{ frame: frame.map((byte) => byte ^ 0xff) }],
      (frame: Uint8Array) => [{ frame }, { frame }],
      (frame: Uint8Array) => [{ frame, delayMs: 50 }],
      (frame: Uint8Array) => [{ frame }],
    ];
    const a = faultyLink(near, (frame, direction) => (direction === "send" && script.shift()?.(frame)) || [], clock);
    const got: { at: number; frame: Uint8Array }[] = [];
    b.onFrame((frame) => got.push({ at: clock.now(), frame }));
    for (let i = 0; i < 5; i++) a.send(frameOf(i));
    clock.advance(100);
    assert.deepEqual(got, [
      { at: 0, frame: frameOf(1).map((byte) => byte ^ 0xff) },
      { at: 0, frame: frameOf(2) },
      { at: 0, frame: frameOf(2) },
      { at: 0, frame: frameOf(4) },
      { at: 50, frame: frameOf(3) },
    ]);
  });

  it("delivers no late frame to a listener that left", () => {
    const clock = new VirtualClock();
    const [near, b] = createMemoryLinkPair();
    const a = faultyLink(near, (frame) => [{ frame, delayMs: 10 }], clock);
    let got = 0;
    const leave = a.onFrame(() => got++);
    b.send(frameOf(1));
    leave();
    clock.advance(20);
    assert.equal(got, 0);
  });

  it("needs a clock to delay", () => {
    const [near] = createMemoryLinkPair();
    assert.throws(() => faultyLink(near, (frame) => [{ frame, delayMs: 10 }]).send(frameOf(0)), RangeError);
  });
});
