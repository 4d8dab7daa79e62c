import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import {
  createNodeUsbHost,
  type NodeUsbHostOptions,
  UDEV_RULE,
  UDEV_RULE_FILE,
} from "../../../hw/usb-host/node-usb.ts";
import { openStickLink } from "../../../hw/usb-host/stick-link.ts";
import { type UsbHost, UsbHostError } from "../../../hw/usb-host/usb-host.ts";
import { loadWebUsb, problemOf } from "../../../hw/usb-host/web-usb.ts";
import { createEemFunction, type EemFunction } from "../../../token/usb/index.ts";
import { frameOf } from "../../contract/frame-link.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { createFakeWebUsb, FakePort, type FakeWebUsb } from "../../support/fake-web-usb.ts";

const NO_DATA = new Uint8Array(0);

describe("node-usb host", () => {
  let sysfs: string;
  let clock: VirtualClock;
  let fake: FakeWebUsb;
  let functions: EemFunction[];
  beforeEach(() => {
    sysfs = mkdtempSync(join(tmpdir(), "fobnail-sysfs-"));
    clock = new VirtualClock();
    functions = [createEemFunction({ serial: "A" }), createEemFunction({ serial: "B" })];
    fake = createFakeWebUsb(functions.map(({ usb }, i) => new FakePort(`1-${i + 1}.4`, usb, sysfs)));
  });
  afterEach(() => rmSync(sysfs, { recursive: true }));

  const open = (more: NodeUsbHostOptions = {}): UsbHost =>
    createNodeUsbHost({ load: async () => fake, platform: "linux", sysfs, clock, inTimeoutMs: 2, ...more });
  const port = (i = 0) => fake.ports[i] ?? assert.fail("no such port");
  const first = async (host: UsbHost) => (await host.find())[0] ?? assert.fail("nothing found");
  const refusal = async (of: Promise<unknown>): Promise<UsbHostError> => {
    const error: unknown = await of.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof UsbHostError, String(error));
    return error;
  };

  it("shows what there is and who has it", async () => {
    const host = open();
    const kernel = { vendorId: 0x1234, productId: 0x4321, manufacturer: "Fobnail", product: "Fobnail", isToken: true };
    port(1).bind(undefined);
    assert.deepEqual(await host.find(), [
      { at: "1-1.4", serial: "A", state: "kernel", driver: "cdc_eem", ...kernel },
      { at: "1-2.4", serial: "B", state: "free", ...kernel },
    ]);
    const claimed = await host.claim(await first(host));
    assert.equal((await first(host)).state, "claimed");
    await claimed.release();
    assert.equal((await first(host)).state, "kernel");
    await host.close();
  });

  it("leaves out what is neither a token nor like one, and does not take others for tokens", async () => {
    const { usb } = createEemFunction({ serial: "C" });
    const withIds = (idVendor: number, strings = usb.descriptors.strings, bInterfaceSubClass = 12) => {
      const { configuration } = usb.descriptors;
      const interfaces = configuration.interfaces.map((one) => ({
        ...one,
        descriptor: { ...one.descriptor, bInterfaceSubClass },
      }));
      const device = { ...usb.descriptors.device, idVendor };
      return {
        ...usb,
        descriptors: { ...usb.descriptors, device, strings, configuration: { ...configuration, interfaces } },
      };
    };
    const devices = [withIds(0x0525), withIds(0x0525, undefined, 6), withIds(0x1234, ["", "Other", "Thing", "1"]), withIds(0x1234, undefined, 6)]; // biome-ignore format: one line
    const others = createFakeWebUsb(devices.map((device, i) => new FakePort(`2-${i + 1}`, device, sysfs)));
    const found = await open({ load: async () => others }).find();
    assert.deepEqual(found.map(({ at, isToken }) => [at, isToken]), [["2-1", false], ["2-3", false], ["2-4", false]]); // biome-ignore format: a table
  });

  it("sees less elsewhere than on Linux, and still finds tokens", async () => {
    const [mac] = await open({ platform: "darwin" }).find();
    assert.deepEqual([mac?.state, mac?.isToken, mac?.at], ["unknown", true, "1-1.4"]);
  });

  it("takes the interface from the kernel and gives it back, also when it could not be claimed", async () => {
    const host = open();
    const claimed = await host.claim(await first(host));
    assert.equal(port().driver, "usbfs");
    await claimed.release();
    assert.equal(port().driver, "cdc_eem");
    // Free before: free afterwards.
    port().bind(undefined);
    await (await host.claim(await first(host))).release();
    assert.equal(port().driver, undefined);
  });

  it("says that another program has it", async () => {
    const [host, other] = [open(), open()];
    const claimed = await other.claim(await first(other));
    const { reason, message } = await refusal(host.claim(await first(host)));
    assert.deepEqual([reason, message], ["busy", "The stick 1-1.4 is in use by another program"]);
    assert.equal(port().driver, "usbfs");
    await claimed.release();
  });

  it("names the udev rule where the system does not let the user have it", async () => {
    port().denied = true;
    const host = open();
    const { reason, message } = await refusal(host.claim(await first(host)));
    assert.equal(reason, "permission");
    assert.ok(message.includes(UDEV_RULE) && message.includes(UDEV_RULE_FILE), message);
    assert.match(message, /\/dev\/bus\/usb\/001\/002/);
    assert.equal(port().driver, "cdc_eem");
    const elsewhere = open({ platform: "darwin" });
    assert.doesNotMatch((await refusal(elsewhere.claim(await first(elsewhere)))).message, /udev/);
  });

  it("never has two transfers of one endpoint in the library, and clears a halt before others run into it", async () => {
    const host = open();
    const log = new TestLog();
    const stick = await openStickLink(await host.claim(await first(host)), { log, clock });
    const got: number[] = [];
    stick.link.onFrame((frame) => got.push(frame.byteLength));
    const [fn] = functions;
    assert.ok(fn);
    fn.usb.control({ bmRequestType: 2, bRequest: 3, wValue: 0, wIndex: 0x81, wLength: 0 }, NO_DATA);
    for (let i = 0; i < 2_000 && got.length === 0; i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (i % 10 === 9) fn.link.send(frameOf(1));
      clock.advance(1);
    }
    assert.ok(got.length > 0, "nothing arrived behind the halt");
    assert.deepEqual(log.lines, []);
    await stick.close();
    assert.equal(port().driver, "cdc_eem");
  });

  it("ends without error when the stick goes while it is given back", async () => {
    const host = open();
    const claimed = await host.claim(await first(host));
    const pending = refusal(claimed.bulkIn(0x81, 64));
    const released = claimed.release();
    fake.unplug("1-1.4");
    await released;
    assert.equal((await pending).reason, "gone");
    await host.close();
    assert.equal(fake.watchers, 0);
  });

  it("says that the kernel's driver does not take the stick again, and leaves it free; a driver that has it already is fine", async () => {
    const host = open();
    port().driverRefuses = "failed to attach kernel driver (errno 22)";
    const claimed = await host.claim(await first(host));
    const { message } = await refusal(claimed.release());
    assert.match(message, /^The stick 1-1\.4 could not be given back: attachKernelDriver error: .*errno 22/);
    assert.equal((await first(host)).state, "free");
    await (await host.claim(await first(host))).release(); // the library has closed it

    port().bind("cdc_eem");
    port().driverRefuses = "kernel driver already attached (errno 16)";
    await (await host.claim(await first(host))).release();
    await host.close();
    assert.equal(fake.watchers, 0);
  });

  it("asks the system to configure and to choose settings, and never changes the address", async () => {
    const host = open();
    const claimed = await host.claim(await first(host));
    const out = (bmRequestType: number, bRequest: number, wValue: number) =>
      claimed.control({ bmRequestType, bRequest, wValue, wIndex: 0, wLength: 0 }, NO_DATA);
    assert.deepEqual(await out(0, 9, 1), NO_DATA);
    assert.equal(await out(0, 9, 2), "stall");
    assert.deepEqual(await out(1, 11, 0), NO_DATA);
    assert.equal(await out(1, 11, 1), "stall");
    assert.equal(await out(0, 5, 7), "stall");
    await claimed.release();
  });

  it("is not there on a machine without USB, says so, and nothing is thrown behind its back", async () => {
    const load = () => loadWebUsb("linux", join(sysfs, "none"));
    const host = open({ load });
    const { reason, message } = await refusal(host.find());
    assert.equal(reason, "unsupported");
    assert.match(message, /^This machine has no USB: there is no /);
    const leave = host.onChange(() => assert.fail("told"));
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    leave();
    await host.close();
  });

  it("says that the devices cannot be seen when the library fails", async () => {
    const broken = { ...fake, getDevices: () => Promise.reject(new Error("getDevices error: x (errno 5)")) };
    assert.equal((await refusal(open({ load: async () => broken }).find())).reason, "unsupported");
  });

  it("loads the library, which has what is asked of it here", async () => {
    // On a platform that is not looked at before; nothing is opened.
    const webUsb = await loadWebUsb("darwin");
    const hotplug = webUsb.createHotplug();
    for (const name of ["addAttach", "addDetach", "removeAttach", "removeDetach"] as const) {
      assert.equal(typeof hotplug[name], "function", name);
    }
    const { UsbDevice } = await import("usb/index.js");
    const methods = Object.getOwnPropertyNames(UsbDevice.prototype);
    const used = ["open", "close", "claimInterface", "releaseInterface", "selectConfiguration", "selectAlternateInterface", "clearHalt", "transferIn", "transferOut", "controlTransferIn", "controlTransferOut", "detachKernelDriver", "attachKernelDriver", "handle", "serialNumber", "productName", "manufacturerName"]; // biome-ignore format: a list
    assert.deepEqual(used.filter((name) => !methods.includes(name)), []); // biome-ignore format: one line
  });

  it("tells the library's errors apart", () => {
    for (const [text, problem] of [
      ["transferIn error: Stall", "stall"],
      ["controlTransferIn error: endpoint stalled", "stall"],
      ["transferIn error: Cancelled", "timeout"],
      ["controlTransferOut error: transfer was cancelled", "timeout"],
      ["transferOut error: Disconnected", "gone"],
      ["controlTransferIn error: device disconnected", "gone"],
      ["open error: failed to open device (errno 19)", "gone"],
      ["open error: failed to open device (errno 13)", "permission"],
      ["claimInterface error: interface is busy (errno 16)", "busy"],
      ["detachKernelDriver error: no kernel driver attached (errno 61)", "none-attached"],
      ["transferIn error: Fault", undefined],
      ["open error: failed to open device (errno 12)", undefined],
    ] as const) {
      assert.equal(problemOf(new Error(text)), problem, text);
    }
  });
});
