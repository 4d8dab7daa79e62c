import assert from "node:assert/strict";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../../hw/clock/real.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { openVhci, VhciError } from "../../../hw/host/vhci.ts";
import { ImportError, importStick } from "../../../hw/host/vhci-import.ts";
import { OpCode, OpRepImport, OpStatus, openUsbipServer, VERSION } from "../../../hw/usb-device/usbip/index.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { createEemFunction } from "../../../token/usb/index.ts";
import { Sta, VhciTree } from "../../support/vhci-tree.ts";

const DEVICE = { fd: 12, busnum: 1, devnum: 2, speed: 2 };

const failsWith = (reason: VhciError["reason"], message: RegExp) => (error: unknown) =>
  error instanceof VhciError && error.reason === reason && message.test(error.message);

describe("vhci-hcd", () => {
  let tree: VhciTree;
  beforeEach(() => {
    tree = new VhciTree();
  });
  afterEach(() => tree.remove());

  it("has the ports of all controllers, those of slower devices only", () => {
    tree.port(5, Sta.Used, "5-2");
    const ports = openVhci(tree.root).ports();
    assert.deepEqual(ports.map(({ number }) => number), [0, 1, 4, 5]); // biome-ignore format: one claim
    assert.deepEqual(ports.at(-1), { number: 5, status: 6, busid: "5-2" });
  });

  it("plugs a device into the first free port, in the kernel's words", () => {
    tree.port(0, Sta.Used, "3-1");
    tree.port(1, Sta.Error);
    const vhci = openVhci(tree.root);
    assert.equal(vhci.attach(DEVICE), 4);
    assert.equal(tree.told("attach"), "4 12 65538 2");
    vhci.detach(4);
    assert.equal(tree.told("detach"), "4");
  });

  it("says what is missing: the module, a port, root", () => {
    const empty = mkdtempSync(join(tmpdir(), "fobnail-sys-"));
    assert.throws(() => openVhci(empty), failsWith("absent", /vhci-hcd not loaded .*vhci_hcd\.0 is not there\); as root: modprobe vhci-hcd$/)); // biome-ignore format: one claim
    rmSync(empty, { recursive: true });
    for (const port of [0, 1, 4, 5]) tree.port(port, Sta.Used, "3-1");
    assert.throws(() => openVhci(tree.root).attach(DEVICE), failsWith("full", /All 4 ports of vhci-hcd are in use/));
    tree.port(0, Sta.Free);
    const attach = join(tree.root, "devices/platform/vhci_hcd.0/attach");
    const vhci = openVhci(tree.root);
    rmSync(attach);
    assert.throws(() => vhci.attach(DEVICE), failsWith("refused", /does not want the device \(ENOENT\)/));
  });

  it("waits until Linux has taken the device up, and until its driver has made an interface", async () => {
    const clock = new VirtualClock();
    const vhci = openVhci(tree.root);
    const later = async (ms: number) => {
      for (let gone = 0; gone < ms; gone += 100) {
        clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    let said: string | undefined;
    const taken = vhci.busidOf(1, clock, 10_000).then((busid) => {
      said = busid;
    });
    await later(2_000);
    tree.port(1, Sta.NotAssigned);
    await later(500);
    tree.port(1, Sta.Used, "3-2");
    await later(500);
    assert.equal(said, undefined, "the device is not there yet");
    tree.device("3-2");
    await later(200);
    await taken;
    assert.equal(said, "3-2");

    const none = vhci.interfaceOf("3-2", clock, 1_000);
    await later(1_100);
    assert.equal(await none, undefined);
    const network = vhci.interfaceOf("3-2", clock, 1_000);
    tree.device("3-2", "usb0");
    await later(200);
    assert.equal(await network, "usb0");
    const other = vhci.interfaceOf("3-20", clock, 100);
    await later(200);
    assert.equal(await other, undefined);
  });
});

describe("a stick imported for the kernel", () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  const reason = (wanted: ImportError["reason"], message: RegExp) => (error: unknown) =>
    error instanceof ImportError && error.reason === wanted && message.test(error.message);

  async function server() {
    const { usb } = createEemFunction({ serial: "TEST" });
    const made = await openUsbipServer({ host: "127.0.0.1", port: 0, sticks: [{ busid: "1-1", device: usb }], clock: realClock, log: { write: () => undefined } }); // biome-ignore format: one server
    open.push(made);
    return { host: "127.0.0.1", port: made.local.port };
  }

  /** A server that says these bytes to whoever connects. */
  async function parrot(bytes: Uint8Array | undefined) {
    const sockets: Socket[] = [];
    const made = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      if (bytes === undefined) socket.end();
      else socket.write(bytes);
    });
    await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
    open.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        made.close();
      },
    });
    const { port } = made.address() as AddressInfo;
    return { host: "127.0.0.1", port };
  }

  it("gives the socket's descriptor and what the kernel is to know, and the stick back when nobody took it", async () => {
    const at = await server();
    const imported = await importStick({ ...at, busid: "1-1" });
    const { device, fd } = imported;
    assert.deepEqual([device.busid, device.busnum, device.devnum, device.speed], ["1-1", 1, 2, 2]);
    if (process.platform === "linux") assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^socket:/);
    await assert.rejects(importStick({ ...at, busid: "1-1" }), reason("absent", /does not give 1-1: it is in use by somebody else/)); // biome-ignore format: one claim
    imported.close();
    for (let tries = 0; ; tries++) {
      try {
        (await importStick({ ...at, busid: "1-1" })).close();
        break;
      } catch (error) {
        assert.ok(error instanceof ImportError && tries < 100); // the server has not seen the end yet
      }
    }
  });

  it("says what is wrong with the server", async () => {
    const at = await server();
    await assert.rejects(importStick({ ...at, busid: "1-2" }), reason("absent", /127\.0\.0\.1:\d+ does not give 1-2: it is not there/)); // biome-ignore format: one claim
    await assert.rejects(importStick({ ...(await parrot(undefined)), busid: "1-1" }), reason("unreached", /closed the connection without an answer/)); // biome-ignore format: one claim
    await assert.rejects(importStick({ ...(await parrot(new Uint8Array(400))), busid: "1-1" }), reason("unreached", /speaks something else than USB\/IP 1\.1\.1/)); // biome-ignore format: one claim
    await assert.rejects(importStick({ host: "127.0.0.1", port: 1, busid: "1-1" }), reason("unreached", /nothing listens there/)); // biome-ignore format: one claim
    await assert.rejects(importStick({ host: "fobnail.invalid", port: 1, busid: "1-1" }), reason("unreached", /is not reached/)); // biome-ignore format: one claim
  });

  it("takes nothing behind the answer away from the kernel", async () => {
    const device = { path: "/sys/x", busid: "1-1", busnum: 1, devnum: 2, speed: 2, idVendor: 0x1234, idProduct: 0x4321, bcdDevice: 0, bDeviceClass: 0, bDeviceSubClass: 0, bDeviceProtocol: 0, bConfigurationValue: 1, bNumConfigurations: 1, bNumInterfaces: 1 } as const; // biome-ignore format: one device
    const reply = encode(OpRepImport, {
      version: VERSION,
      code: OpCode.RepImport,
      reply: { status: OpStatus.Ok, device },
    });
    const at = await parrot(Uint8Array.from([...reply, 0])); // a server speaks only when it is spoken to
    await assert.rejects(importStick({ ...at, busid: "1-1" }), reason("unreached", /1 bytes too many/));
  });

  it("does not wait for ever for one that sends byte by byte", async () => {
    const at = await parrot(Uint8Array.of(0x01));
    const clock = new VirtualClock();
    const asked = importStick({ ...at, busid: "1-1", clock });
    const refused = assert.rejects(asked, reason("unreached", /did not answer within 10 s/));
    for (let i = 0; i < 100; i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      clock.advance(100);
    }
    await refused;
  });
});
