import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../hw/clock/real.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { openUsbipServer } from "../../../hw/usb-device/usbip/index.ts";
import { createNodeUsbHost } from "../../../hw/usb-host/node-usb.ts";
import { createUsbipHost } from "../../../hw/usb-host/usbip-host.ts";
import { createEemFunction } from "../../../token/usb/index.ts";
import { type StickOnBus, type UsbHostScene, usbHostContract } from "../../contract/usb-host.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { createFakeUsbHost } from "../../support/fake-usb-host.ts";
import { createFakeWebUsb, FakePort } from "../../support/fake-web-usb.ts";

function stickAt(at: string, serial: string): StickOnBus {
  const fn = createEemFunction({ serial });
  return {
    at,
    usb: fn.usb,
    link: fn.link,
    get isGivenBack() {
      return !fn.configured;
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

/** Real time only in the fake's transfers, which wait for no more than 2 ms. */
const IN_TIMEOUT_MS = 2;

for (const hasEvents of [true, false]) {
  usbHostContract(`node-usb, faked, ${hasEvents ? "with" : "without"} events`, async (): Promise<UsbHostScene> => {
    const sysfs = mkdtempSync(join(tmpdir(), "fobnail-sysfs-"));
    const all = sticks();
    const fake = createFakeWebUsb(all.map(({ at, usb }) => new FakePort(at, usb, sysfs)));
    fake.hasEvents = hasEvents;
    const clock = new VirtualClock();
    const host = createNodeUsbHost({
      load: async () => fake,
      platform: "linux",
      sysfs,
      clock,
      inTimeoutMs: IN_TIMEOUT_MS,
    });
    return {
      host,
      clock,
      sticks: all.map((stick, i) => ({
        at: stick.at,
        usb: stick.usb,
        link: stick.link,
        get isGivenBack() {
          return fake.ports[i]?.driver === "cdc_eem";
        },
      })),
      plug: (at) => fake.plug(at),
      unplug: (at) => fake.unplug(at),
      async until(done, what) {
        for (let i = 0; i < 10_000 && !done(); i++) {
          await turn();
          if (i % 20 === 19) clock.advance(10);
        }
        assert.ok(done(), what);
      },
      async close() {
        await host.close();
        assert.equal(fake.watchers, 0);
        rmSync(sysfs, { recursive: true });
      },
    };
  });
}
