import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createMemoryUsbHost, type MemoryUsbHostOptions } from "../../../hw/usb-host/memory.ts";
import { Request, type SetupPacket, type UsbDevice } from "../../../shared/usb/index.ts";
import { createEemFunction, EEM_IN, EEM_OUT } from "../../../token/usb/index.ts";
import { frameLinkContract, frameOf } from "../../contract/frame-link.ts";

function plugged(options: MemoryUsbHostOptions = {}, crc: "real" | "sentinel" = "real") {
  const fn = createEemFunction({ serial: "TEST", crc });
  const host = createMemoryUsbHost(fn.usb, options);
  host.plug();
  return { fn, host };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

for (const [name, options, crc] of [
  ["whole transfers", {}, "real"],
  ["whole transfers, sentinel", {}, "sentinel"],
  ["USB packets", { packetwise: true }, "real"],
  ["by microtasks", { schedule: queueMicrotask }, "real"],
] as const) {
  frameLinkContract(`USB and EEM, ${name}, host first`, () => {
    const { fn, host } = plugged(options, crc);
    return { a: host.link, b: fn.link, settle: turn };
  });
  frameLinkContract(`USB and EEM, ${name}, token first`, () => {
    const { fn, host } = plugged(options, crc);
    return { a: fn.link, b: host.link, settle: turn };
  });
}

describe("memory USB host", () => {
  it("learns what the stick is", () => {
    const { host } = plugged();
    assert.deepEqual(host.enumerated, {
      idVendor: 0x1234,
      idProduct: 0x4321,
      manufacturer: "Fobnail",
      product: "Fobnail",
      serial: "TEST",
      epIn: EEM_IN,
      epOut: EEM_OUT,
      usbPacketBytes: 64,
    });
  });

  it("asks in the order in which Linux does", () => {
    const { usb } = createEemFunction({ serial: "TEST" });
    const asked: string[] = [];
    const spied: UsbDevice = {
      ...usb,
      busReset() {
        asked.push("reset");
        usb.busReset();
      },
      control(setup, out) {
        const name = Object.entries(Request).find(([, code]) => code === setup.bRequest)?.[0];
        asked.push(`${name} ${setup.wValue.toString(16)} ${setup.wLength}`);
        return usb.control(setup, out);
      },
    };
    createMemoryUsbHost(spied).plug();
    assert.deepEqual(asked, [
      "reset",
      "GetDescriptor 100 64",
      "reset",
      "SetAddress 5 0",
      "GetDescriptor 100 18",
      "GetDescriptor 600 10",
      "GetDescriptor 200 9",
      "GetDescriptor 200 32",
      "GetDescriptor 300 255",
      "GetDescriptor 302 255",
      "GetDescriptor 301 255",
      "GetDescriptor 303 255",
      "SetConfiguration 1 0",
      "SetInterface 0 0",
    ]);
  });

  it("carries what the token sends while it is being configured", () => {
    const fn = createEemFunction({ serial: "TEST" });
    const host = createMemoryUsbHost(fn.usb);
    const got: Uint8Array[] = [];
    host.link.onFrame((frame) => got.push(frame));
    fn.onConfigured((now) => now && fn.link.send(frameOf(9)));
    host.plug();
    assert.deepEqual(got, [frameOf(9)]);
  });

  it("loses frames while unplugged, and carries them again when plugged in", () => {
    const { fn, host } = plugged();
    const configured: boolean[] = [];
    fn.onConfigured((now) => configured.push(now));
    let atToken = 0;
    let atHost = 0;
    fn.link.onFrame(() => atToken++);
    host.link.onFrame(() => atHost++);
    const both = () => {
      fn.link.send(frameOf(1));
      host.link.send(frameOf(1));
    };
    both();
    host.unplug();
    host.unplug();
    assert.equal(host.enumerated, undefined);
    both();
    assert.deepEqual([atToken, atHost], [1, 1]);
    host.plug();
    host.plug();
    assert.deepEqual([atToken, atHost], [1, 1], "nothing from before");
    both();
    assert.deepEqual([atToken, atHost], [2, 2]);
    assert.deepEqual(configured, [false, true]);
  });

  it("survives being unplugged and plugged in from within a frame", () => {
    const { fn, host } = plugged();
    let seen = 0;
    fn.link.onFrame(() => {
      seen += 1;
      if (seen > 3) return;
      fn.link.send(frameOf(2));
      host.unplug();
      host.plug();
      host.link.send(frameOf(3));
    });
    host.link.send(frameOf(1));
    assert.equal(seen, 4);
  });

  it("clears a halt that it meets", () => {
    const { fn, host } = plugged();
    const got: number[] = [];
    fn.link.onFrame((frame) => got.push(frame.byteLength));
    host.link.onFrame((frame) => got.push(frame.byteLength));
    for (const wIndex of [EEM_IN, EEM_OUT]) {
      const halt: SetupPacket = { bmRequestType: 2, bRequest: Request.SetFeature, wValue: 0, wIndex, wLength: 0 };
      fn.usb.control(halt, new Uint8Array(0));
    }
    host.link.send(frameOf(1));
    fn.link.send(frameOf(2));
    assert.deepEqual(got, [15, 16]);
  });

  it("gives up a device that goes on stalling", () => {
    const { usb } = createEemFunction({ serial: "TEST" });
    const host = createMemoryUsbHost({ ...usb, bulkOut: () => "stall" });
    host.plug();
    host.link.send(frameOf(1));
    assert.equal(host.enumerated, undefined);
  });

  it("offers again what the device did not take, by the clock or when anything moves", () => {
    for (const clock of [new VirtualClock(), undefined]) {
      const fn = createEemFunction({ serial: "TEST" });
      let busy = 5;
      const device: UsbDevice = { ...fn.usb, bulkOut: (ep, data) => (busy-- > 0 ? "nak" : fn.usb.bulkOut(ep, data)) };
      const host = createMemoryUsbHost(device, clock === undefined ? {} : { clock });
      const got: Uint8Array[] = [];
      fn.link.onFrame((frame) => got.push(frame));
      host.plug();
      host.link.send(frameOf(1));
      host.link.send(frameOf(2));
      assert.deepEqual(got, []);
      if (clock !== undefined) clock.advance(10);
      else for (let i = 0; i < 5; i++) fn.link.send(frameOf(0));
      assert.deepEqual(got, [frameOf(1), frameOf(2)]);
      assert.equal(clock?.nextDue(), undefined);
    }
  });

  it("says what is wrong with a device that does not play along", () => {
    const { usb } = createEemFunction({ serial: "TEST" });
    const plugWith = (control: UsbDevice["control"]) => () => createMemoryUsbHost({ ...usb, control }).plug();
    assert.throws(plugWith(() => "stall"), /refused its device descriptor/); // biome-ignore format: a table
    assert.throws(plugWith(() => new Uint8Array(70)), /answered 70 bytes where 64 were asked for/); // biome-ignore format: as above
    assert.throws(plugWith((s) => new Uint8Array(Math.min(5, s.wLength))), /malformed descriptor/); // biome-ignore format: as above
    const refusing =
      (request: number): UsbDevice["control"] =>
      (setup, out) =>
        setup.bRequest === request ? "stall" : usb.control(setup, out);
    assert.throws(plugWith(refusing(Request.SetConfiguration)), /refused SET_CONFIGURATION/);
    const otherClass: UsbDevice["control"] = (setup, out) => {
      const answer = usb.control(setup, out);
      return answer instanceof Uint8Array
        ? answer.map((byte, i) => (i === 15 && setup.wLength === 32 ? 6 : byte))
        : answer;
    };
    assert.throws(plugWith(otherClass), /no CDC-EEM interface/);
  });
});
