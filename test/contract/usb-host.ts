import assert from "node:assert/strict";
import { openStickLink } from "../../hw/usb-host/stick-link.ts";
import { type ClaimedStick, type FoundStick, type UsbHost, UsbHostError } from "../../hw/usb-host/usb-host.ts";
import { decode, encode } from "../../shared/bytes/index.ts";
import { EemPacket } from "../../shared/eem/index.ts";
import type { Clock } from "../../shared/ports/index.ts";
import {
  DescriptorType,
  DeviceDescriptor,
  Feature,
  Request,
  type SetupPacket,
  type UsbDevice,
} from "../../shared/usb/index.ts";
import { TestLog } from "../support/coap-pair.ts";
import { frameOf } from "./frame-link.ts";

/** Sticks behind a bus: one EEM function each, which the test sees from its other side. */
export interface UsbHostScene {
  readonly host: UsbHost;
  readonly clock: Clock;
  /** Every stick is a token at its place. */
  readonly sticks: readonly StickOnBus[];
  plug(at: string): void;
  unplug(at: string): void;
  /** Lets what is under way arrive, until `done` says yes, or fails the test. */
  until(done: () => boolean, what: string): Promise<void>;
  close(): Promise<void>;
}

export interface StickOnBus {
  readonly at: string;
  readonly usb: UsbDevice;
  readonly link: { send(frame: Uint8Array): void; onFrame(listener: (frame: Uint8Array) => void): () => void };
  /** Whoever had it before a program may have it again. */
  readonly isGivenBack: boolean;
}

const NO_DATA = new Uint8Array(0);
const EP_IN = 0x81;
const EP_OUT = 0x01;
const setup = (bmRequestType: number, bRequest: number, wValue = 0, wIndex = 0, wLength = 0): SetupPacket => ({
  bmRequestType,
  bRequest,
  wValue,
  wIndex,
  wLength,
});
const eem = (size: number) => encode(EemPacket, { kind: "data", crc: "real", frame: frameOf(size) });

async function refusal(of: Promise<unknown>): Promise<UsbHostError> {
  const error: unknown = await of.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof UsbHostError, `${String(error)} is no UsbHostError`);
  assert.match(error.message, /^[A-Z].* .*[^.]$/, "a sentence");
  return error;
}

/** What every UsbHost keeps. */
export function usbHostContract(name: string, make: () => Promise<UsbHostScene>): void {
  describe(`UsbHost: ${name}`, () => {
    let scene: UsbHostScene;
    beforeEach(async () => {
      scene = await make();
    });
    afterEach(() => scene.close());

    const findFirst = async (): Promise<FoundStick> => {
      const [first] = await scene.host.find();
      return first ?? assert.fail("nothing found");
    };
    const claimFirst = async (): Promise<ClaimedStick> => scene.host.claim(await findFirst());
    const configured = async (): Promise<ClaimedStick> => {
      const claimed = await claimFirst();
      assert.deepEqual(await claimed.control(setup(0, Request.SetConfiguration, 1), NO_DATA), NO_DATA);
      return claimed;
    };
    const firstStick = () => scene.sticks[0] ?? assert.fail("no stick");

    it("finds the tokens, each at its place", async () => {
      const found = await scene.host.find();
      assert.deepEqual(found.map(({ at }) => at), scene.sticks.map(({ at }) => at)); // biome-ignore format: one line, one claim
      for (const stick of found) {
        assert.deepEqual([stick.vendorId, stick.productId, stick.isToken], [0x1234, 0x4321, true]);
      }
    });

    it("carries control transfers, cut to what was asked for", async () => {
      const claimed = await claimFirst();
      const get = (wLength: number) => claimed.control(setup(0x80, Request.GetDescriptor, DescriptorType.Device << 8, 0, wLength), NO_DATA); // biome-ignore format: one line
      const whole = await get(64);
      assert.ok(whole !== "stall");
      assert.equal(decode(DeviceDescriptor, whole).idVendor, 0x1234);
      assert.deepEqual(await get(8), whole.slice(0, 8));
    });

    it("tells a stall of a request from a failure", async () => {
      const claimed = await configured();
      assert.equal(await claimed.control(setup(0x80, Request.GetDescriptor, 0x0f00, 0, 64), NO_DATA), "stall");
      assert.equal(await claimed.control(setup(0, Request.SetConfiguration, 7), NO_DATA), "stall");
      assert.deepEqual(
        await claimed.control(setup(0x80, Request.GetConfiguration, 0, 0, 1), NO_DATA),
        Uint8Array.of(1),
      );
    });

    it("carries bulk transfers, and holds an IN transfer until there is data", async () => {
      const claimed = await configured();
      const atStick: Uint8Array[] = [];
      firstStick().link.onFrame((frame) => atStick.push(frame));
      const results: unknown[] = [];
      const pending = claimed.bulkIn(EP_IN, 1_536).then((data) => results.push(data));
      assert.equal(await claimed.bulkOut(EP_OUT, eem(40)), "ok");
      assert.deepEqual([atStick, results], [[frameOf(40)], []]);
      firstStick().link.send(frameOf(50));
      await pending;
      assert.deepEqual(results, [eem(50)]);
    });

    it("keeps the order of several transfers that wait", async () => {
      const claimed = await configured();
      const sizes = [1, 2, 3, 4, 5, 6];
      const ins = sizes.map(() => claimed.bulkIn(EP_IN, 1_536));
      const order: number[] = [];
      for (const [i, one] of ins.entries()) void one.then(() => order.push(i));
      // The device has no data before its host is known to wait.
      await claimed.control(setup(0x80, Request.GetConfiguration, 0, 0, 1), NO_DATA);
      for (const size of sizes) {
        firstStick().link.send(frameOf(size));
        await scene.until(() => order.length === size, `transfer ${size}`);
      }
      assert.deepEqual(await Promise.all(ins), sizes.map(eem));
      assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
    });

    it("tells a halted endpoint, which goes on when the halt is cleared", async () => {
      const claimed = await configured();
      const feature = (request: number) => claimed.control(setup(2, request, Feature.EndpointHalt, EP_IN), NO_DATA);
      await feature(Request.SetFeature);
      assert.equal(await claimed.bulkIn(EP_IN, 64), "stall");
      await feature(Request.ClearFeature);
      const pending = claimed.bulkIn(EP_IN, 64);
      firstStick().link.send(frameOf(1));
      assert.deepEqual(await pending, eem(1));
    });

    it("lets one program have a stick at a time, and others after it", async () => {
      const found = await findFirst();
      const claimed = await scene.host.claim(found);
      assert.equal((await refusal(scene.host.claim(found))).reason, "busy");
      await claimed.release();
      await claimed.release();
      const again = await scene.host.claim(found);
      assert.ok((await again.control(setup(0x80, Request.GetStatus, 0, 0, 2), NO_DATA)) instanceof Uint8Array);
    });

    it("ends what is pending when it is given back, without calling it gone", async () => {
      const claimed = await configured();
      claimed.onGone(() => assert.fail("told"));
      const pending = refusal(claimed.bulkIn(EP_IN, 64));
      await claimed.release();
      assert.equal((await pending).reason, "gone");
      assert.equal((await refusal(claimed.bulkOut(EP_OUT, eem(1)))).reason, "gone");
      assert.equal((await refusal(claimed.control(setup(0x80, Request.GetStatus, 0, 0, 2), NO_DATA))).reason, "gone");
      await scene.until(() => firstStick().isGivenBack, "given back");
    });

    it("tells that a stick is gone, once, and late listeners at once", async () => {
      const claimed = await configured();
      let told = 0;
      claimed.onGone(() => told++);
      const leave = claimed.onGone(() => assert.fail("left"));
      leave();
      const pending = refusal(claimed.bulkIn(EP_IN, 64));
      scene.unplug(firstStick().at);
      await scene.until(() => told === 1, "told");
      assert.equal((await pending).reason, "gone");
      claimed.onGone(() => told++);
      assert.equal(told, 2);
      await claimed.release();
      assert.equal(told, 2);
      const found = await scene.host.find();
      assert.ok(!found.some(({ at }) => at === firstStick().at));
    });

    it("refuses to claim what is not there any more", async () => {
      const found = await findFirst();
      scene.unplug(found.at);
      assert.equal((await refusal(scene.host.claim(found))).reason, "gone");
      scene.plug(found.at);
      await (await scene.host.claim(found)).release();
    });

    it("tells that sticks come and go, as long as somebody listens", async () => {
      let told = 0;
      const leave = scene.host.onChange(() => told++);
      scene.host.onChange(() => assert.fail("left"))();
      const { at } = firstStick();
      await scene.host.find();
      for (const move of [() => scene.unplug(at), () => scene.plug(at)]) {
        const before = told;
        // A bus that is looked at now and then has to have seen it before.
        for (let i = 0; i < 20; i++) await scene.host.find();
        move();
        await scene.until(() => told > before, "told of a change");
      }
      leave();
      leave();
    });

    it("gives everything back when closed", async () => {
      const claimed = await configured();
      assert.ok(!firstStick().isGivenBack);
      await scene.host.close();
      await scene.until(() => firstStick().isGivenBack, "given back");
      assert.equal((await refusal(claimed.bulkIn(EP_IN, 64))).reason, "gone");
    });

    it("carries Ethernet under its EEM driver, and says when that ends", async () => {
      const log = new TestLog();
      const stick = await openStickLink(await claimFirst(), { log, clock: scene.clock });
      const [atStick, atHost]: [number[], number[]] = [[], []];
      firstStick().link.onFrame((frame) => atStick.push(frame.byteLength));
      stick.link.onFrame((frame) => atHost.push(frame.byteLength));
      const sizes = [0, 43, 44, 45, 500, 1_500];
      for (const size of sizes) {
        stick.link.send(frameOf(size));
        firstStick().link.send(frameOf(size));
      }
      await scene.until(() => atStick.length === sizes.length && atHost.length === sizes.length, "all frames");
      assert.deepEqual([atStick, atHost], [sizes.map((size) => size + 14), sizes.map((size) => size + 14)]);
      let gone = 0;
      stick.onGone(() => gone++);
      scene.unplug(firstStick().at);
      await scene.until(() => gone === 1, "gone");
      stick.link.send(frameOf(1));
      await stick.close();
      await stick.close();
      assert.equal(gone, 1);
      assert.deepEqual(log.lines.filter((line) => !line.startsWith("debug")), []); // biome-ignore format: one line
    });
  });
}
