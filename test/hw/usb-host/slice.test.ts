import assert from "node:assert/strict";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createMemoryUsbHost, type MemoryUsbHostOptions } from "../../../hw/usb-host/memory.ts";
import { createHost } from "../../../shared/net/index.ts";
import { createEemFunction } from "../../../token/usb/index.ts";
import { datagramPortContract } from "../../contract/datagram-port.ts";

const TOKEN = { mac: Uint8Array.of(0, 0x11, 0x22, 0x33, 0x44, 0x55), address: "169.254.0.1" };
const COMPUTER = { mac: Uint8Array.of(2, 0, 0, 0, 0, 8), address: "169.254.0.8" };

function setUp(options: MemoryUsbHostOptions = {}) {
  const clock = new VirtualClock();
  const fn = createEemFunction({ serial: "TEST" });
  const bus = createMemoryUsbHost(fn.usb, options);
  const token = createHost({ link: fn.link, clock, ...TOKEN });
  const computer = createHost({ link: bus.link, clock, ...COMPUTER });
  return { clock, fn, bus, token, computer };
}

for (const [name, options] of [
  ["whole transfers", {}],
  ["USB packets", { packetwise: true }],
] as const) {
  describe(`computer - USB - EEM - Ethernet - IP - token: ${name}`, () => {
    it("pings of every size from 0 to 1472 bytes", async () => {
      const { bus, computer, token } = setUp(options);
      bus.plug();
      for (let size = 0; size <= 1_472; size++) {
        const result = await computer.ping(TOKEN.address, new Uint8Array(size).fill(size & 0xff));
        assert.deepEqual(result, { ok: true, elapsedMs: 0 }, `${size} bytes`);
      }
      assert.equal(token.counters.echoesAnswered, 1_473);
      assert.deepEqual(await token.ping(COMPUTER.address, new Uint8Array(56)), { ok: true, elapsedMs: 0 });
    });

    it("echoes UDP of every size, and says that a port is closed", () => {
      const { bus, computer, token } = setUp(options);
      bus.plug();
      const echo = token.udp(7);
      echo.onDatagram((data, from) => echo.send(data, from));
      const port = computer.udp();
      const got: number[] = [];
      port.onDatagram((data, from) => {
        assert.deepEqual(from, echo.local);
        got.push(data.byteLength);
      });
      const sizes = [0, 1, 17, 18, 19, 512, 1_024, 1_471, 1_472];
      for (const size of sizes) port.send(new Uint8Array(size), echo.local);
      assert.deepEqual(got, sizes);
      port.send(new Uint8Array(9), { address: TOKEN.address, port: 8 });
      assert.equal(computer.counters.unreachablesReceived, 1);
      assert.equal(got.length, sizes.length);
    });

    it("stops when unplugged and works again when plugged in", async () => {
      const { bus, clock, computer } = setUp(options);
      const before = computer.ping(TOKEN.address);
      clock.advance(5_000);
      assert.deepEqual(await before, { ok: false, reason: "timeout" });
      for (let round = 0; round < 3; round++) {
        bus.plug();
        assert.equal((await computer.ping(TOKEN.address)).ok, true);
        bus.unplug();
        const gone = computer.ping(TOKEN.address, new Uint8Array(8), 200);
        clock.advance(200);
        assert.deepEqual(await gone, { ok: false, reason: "timeout" });
      }
    });
  });
}

datagramPortContract("host over USB and EEM", async () => {
  const { bus, computer, token } = setUp();
  bus.plug();
  return {
    a: computer.udp(),
    b: token.udp(5_683),
    async until(done) {
      for (let turn = 0; turn < 10; turn++) if (done()) return;
      assert.fail("the datagram did not arrive");
    },
    async close() {
      computer.close();
      token.close();
    },
  };
});
