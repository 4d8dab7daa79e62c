import assert from "node:assert/strict";
import { realClock } from "../../../hw/clock/real.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createRamFlash, STICK_GEOMETRY } from "../../../hw/flash/index.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { openUsbipServer } from "../../../hw/usb-device/usbip/index.ts";
import { openStickLink, type StickLink } from "../../../hw/usb-host/stick-link.ts";
import { createUsbipHost } from "../../../hw/usb-host/usbip-host.ts";
import { decodeCbor } from "../../../shared/cbor/index.ts";
import { createEndpoint } from "../../../shared/coap/index.ts";
import { createHost, type Host } from "../../../shared/net/index.ts";
import { Versions } from "../../../shared/protocol/index.ts";
import { Request, type UsbDevice } from "../../../shared/usb/index.ts";
import { STRICT } from "../../../token/domain/profile.ts";
import { createToken, TOKEN_ADDRESS, type Token } from "../../../token/token.ts";
import { createEemFunction, EEM_IN, EEM_OUT } from "../../../token/usb/index.ts";
import { frameLinkContract, frameOf } from "../../contract/frame-link.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { createFakeUsbHost } from "../../support/fake-usb-host.ts";

const COMPUTER = { mac: Uint8Array.of(2, 0, 0, 0, 0, 8), address: "169.254.0.8" };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function over(device: UsbDevice, clock = new VirtualClock()) {
  const log = new TestLog();
  const host = createFakeUsbHost([{ at: "1-1", device }], clock);
  const [stick] = await host.find();
  assert.ok(stick);
  const claimed = await host.claim(stick);
  return { host, log, clock, claimed, open: () => openStickLink(claimed, { log, clock }) };
}

describe("EEM driver in user space", () => {
  let pairs: { fn: ReturnType<typeof createEemFunction>; stick: StickLink }[] = [];
  before(async () => {
    // frameLinkContract makes its links without waiting.
    for (let i = 0; i < 20; i++) {
      const fn = createEemFunction({ serial: "TEST" });
      pairs.push({ fn, stick: await (await over(fn.usb)).open() });
    }
  });
  after(() => {
    pairs = [];
  });
  const settle = async () => {
    for (let i = 0; i < 10; i++) await turn();
  };
  const next = () => pairs.pop() ?? assert.fail("too few pairs");
  frameLinkContract("USB host seam, host first", () => {
    const { fn, stick } = next();
    return { a: stick.link, b: fn.link, settle };
  });
  frameLinkContract("USB host seam, stick first", () => {
    const { fn, stick } = next();
    return { a: fn.link, b: stick.link, settle };
  });

  it("bounds what waits for a stick that takes nothing", async () => {
    const fn = createEemFunction({ serial: "TEST" });
    const { open } = await over(fn.usb);
    const stick = await open();
    fn.usb.suspend();
    for (let i = 0; i < 1_000; i++) stick.link.send(frameOf(1_000));
    await settle();
    assert.equal(stick.counters.lost, 1_000 - 64 - 4);
  });

  it("clears a halt that it meets, on both endpoints", async () => {
    const fn = createEemFunction({ serial: "TEST" });
    const { open, clock, log } = await over(fn.usb);
    const stick = await open();
    const got: number[] = [];
    fn.link.onFrame((frame) => got.push(frame.byteLength));
    stick.link.onFrame((frame) => got.push(frame.byteLength));
    for (const wIndex of [EEM_IN, EEM_OUT]) {
      fn.usb.control(
        { bmRequestType: 2, bRequest: Request.SetFeature, wValue: 0, wIndex, wLength: 0 },
        new Uint8Array(0),
      );
    }
    // The frame that meets the halt is lost; the one behind it is not.
    for (const size of [1, 2]) {
      stick.link.send(frameOf(size));
      await settle();
      clock.advance(1_000);
      await settle();
    }
    fn.link.send(frameOf(3));
    await settle();
    assert.deepEqual(got, [16, 17]);
    assert.deepEqual(log.lines, []);
  });

  it("gives up a stick that goes on stalling, and says so", async () => {
    for (const [change, word] of [
      [{ bulkIn: () => "stall" as const }, /goes on stalling/],
      [{ bulkOut: () => "stall" as const }, /goes on stalling/],
    ] as const) {
      const { usb } = createEemFunction({ serial: "TEST" });
      const { open, clock, log } = await over({ ...usb, ...change });
      const stick = await open();
      let gone = 0;
      stick.onGone(() => gone++);
      for (let i = 0; i < 40; i++) {
        stick.link.send(frameOf(1));
        await settle();
        clock.advance(100);
      }
      assert.equal(gone, 1);
      assert.match(log.lines.join(), word);
      await stick.close();
    }
  });

  it("says what is wrong with a stick that is none, and gives it back", async () => {
    const { usb } = createEemFunction({ serial: "TEST" });
    const refusing =
      (request: number): UsbDevice["control"] =>
      (setup, out) =>
        setup.bRequest === request ? "stall" : usb.control(setup, out);
    const short: UsbDevice["control"] = (setup, out) => {
      const answer = usb.control(setup, out);
      return answer === "stall" ? answer : answer.slice(0, 5);
    };
    const sizeless: UsbDevice["control"] = (setup, out) => {
      const answer = usb.control(setup, out);
      // wMaxPacketSize of the first endpoint, behind the descriptors of the configuration and the interface
      return answer === "stall" || answer.byteLength < 32 ? answer : answer.slice().fill(0, 9 + 9 + 4, 9 + 9 + 6);
    };
    for (const [control, reason] of [
      [refusing(Request.GetDescriptor), /refused its configuration/],
      [refusing(Request.SetConfiguration), /refused SET_CONFIGURATION/],
      [refusing(Request.SetInterface), /refused SET_INTERFACE/],
      [short, /malformed descriptor/],
      [sizeless, /bulk packets of no size/],
    ] as const) {
      const { open, host } = await over({ ...usb, control });
      await assert.rejects(open(), reason);
      assert.equal((await host.find())[0]?.state, "kernel");
    }
  });
});

describe("a stick over USB/IP, without the kernel", function () {
  this.timeout(20_000);
  const [MAC_A, MAC_B] = [Uint8Array.of(2, 0, 0, 0, 1, 1), Uint8Array.of(2, 0, 0, 0, 1, 2)];
  const log = new TestLog();
  const ends: (() => unknown)[] = [];

  const newToken = (serial: string, mac: Uint8Array): Token => {
    const leds = { show: () => undefined };
    const button = { onChange: () => () => undefined };
    const env = { clock: realClock, random: systemRandom, flash: createRamFlash(STICK_GEOMETRY), leds, log, button };
    const token = createToken(env, { api: "v1", profile: STRICT, serial, mac });
    ends.push(() => token.stop());
    return token;
  };
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const setUp = async () => {
    const tokens = [newToken("A", MAC_A), newToken("B", MAC_B)];
    const sticks = tokens.map(({ usb }, i) => ({ busid: `1-${i + 1}`, device: usb }));
    const server = await openUsbipServer({ host: "127.0.0.1", port: 0, sticks, clock: realClock, log });
    ends.push(() => server.close());
    const { address, port } = server.local;
    const usb = createUsbipHost({ host: address, port });
    ends.push(() => usb.close());
    const plugIn = async (busid: string): Promise<{ stick: StickLink; computer: Host }> => {
      const found = (await usb.find()).find(({ at }) => at === busid);
      assert.ok(found?.isToken);
      const stick = await openStickLink(await usb.claim(found), { log, clock: realClock });
      ends.push(() => stick.close());
      const computer = createHost({ link: stick.link, clock: realClock, ...COMPUTER });
      ends.push(() => computer.close());
      return { stick, computer };
    };
    return { server, plugIn };
  };

  const versions = async (computer: Host): Promise<readonly number[]> => {
    const endpoint = createEndpoint({ port: computer.udp(), clock: realClock, random: systemRandom, log });
    ends.push(() => endpoint.close());
    const reply = await endpoint.request(
      { address: TOKEN_ADDRESS, port: 5683 },
      { method: "GET", path: "api/version" },
    );
    return decodeCbor(Versions, reply.payload).versions;
  };

  it("answers pings of all sizes, and API v1", async () => {
    const { plugIn } = await setUp();
    const { computer } = await plugIn("1-1");
    for (const size of [0, 1, 17, 18, 19, 56, 64, 500, 1_000, 1_471, 1_472]) {
      const result = await computer.ping(TOKEN_ADDRESS, new Uint8Array(size).fill(size));
      assert.equal(result.ok, true, `${size} bytes`);
    }
    assert.deepEqual(await versions(computer), [1]);
  });

  it("is two sticks with their own MAC addresses, each at its place", async () => {
    const { plugIn } = await setUp();
    const seen: string[] = [];
    for (const [busid, mac] of [
      ["1-1", MAC_A],
      ["1-2", MAC_B],
    ] as const) {
      // biome-ignore format: one line
      const { stick, computer } = await plugIn(busid);
      stick.link.onFrame((frame) => seen.push(Buffer.from(frame.subarray(6, 12)).toString("hex")));
      assert.equal((await computer.ping(TOKEN_ADDRESS)).ok, true);
      assert.equal(seen.pop(), Buffer.from(mac).toString("hex"));
    }
  });

  it("is gone when unplugged, and there again when plugged in", async () => {
    const { server, plugIn } = await setUp();
    for (let round = 0; round < 3; round++) {
      const { stick, computer } = await plugIn("1-1");
      assert.deepEqual(await versions(computer), [1]);
      const gone = new Promise<void>((resolve) => stick.onGone(resolve));
      server.unplug("1-1");
      await gone;
      assert.equal((await computer.ping(TOKEN_ADDRESS, new Uint8Array(8), 20)).ok, false);
      await stick.close();
      server.plug("1-1");
    }
  });
});
