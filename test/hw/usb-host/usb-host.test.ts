import assert from "node:assert/strict";
import { realClock } from "../../../hw/clock/real.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { openUsbipServer } from "../../../hw/usb-device/usbip/index.ts";
import { createUsbipHost } from "../../../hw/usb-host/usbip-host.ts";
import { createEemFunction } from "../../../token/usb/index.ts";
import { type StickOnBus, type UsbHostScene, usbHostContract } from "../../contract/usb-host.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { createFakeUsbHost } from "../../support/fake-usb-host.ts";

function stickAt(at: string, serial: string): StickOnBus {
  const fn = createEemFunction({ serial });
  return {
    at,
    usb: fn.usb,
    link: fn.link,
    get configured() {
      return fn.configured;
    },
  };
}

const sticks = () => [stickAt("1-1", "A"), stickAt("1-2", "B")];
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

usbHostContract("fake", async (): Promise<UsbHostScene> => {
  const all = sticks();
  const clock = new VirtualClock();
  const host = createFakeUsbHost(
    all.map(({ at, usb: device }) => ({ at, device })),
    clock,
  );
  return {
    host,
    clock,
    sticks: all,
    plug: (at) => host.plug(at),
    unplug: (at) => host.unplug(at),
    async until(done, what) {
      for (let i = 0; i < 100 && !done(); i++) await turn();
      assert.ok(done(), what);
    },
    close: () => host.close(),
  };
});

usbHostContract("USB/IP client", async (): Promise<UsbHostScene> => {
  const all = sticks();
  const server = await openUsbipServer({
    host: "127.0.0.1",
    port: 0,
    sticks: all.map(({ at, usb: device }) => ({ busid: at, device })),
    clock: realClock,
    log: new TestLog(),
  });
  const { address, port } = server.local;
  const clock = new VirtualClock();
  const host = createUsbipHost({ host: address, port, clock });
  return {
    host,
    clock,
    sticks: all,
    plug: (at) => server.plug(at),
    unplug: (at) => server.unplug(at),
    async until(done, what) {
      for (let i = 0; i < 10_000 && !done(); i++) {
        await turn();
        if (i % 20 === 19) clock.advance(10);
      }
      assert.ok(done(), what);
    },
    async close() {
      await host.close();
      await server.close();
    },
  };
});
