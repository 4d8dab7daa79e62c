/** USB/IP servers that listen, and then say nothing more: nobody waits for them without end. */
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { OpCode, OpRepDevlist, OpRepImport, VERSION } from "../../../hw/usb-device/usbip/index.ts";
import { openStickLink } from "../../../hw/usb-host/stick-link.ts";
import type { FoundStick, UsbHost } from "../../../hw/usb-host/usb-host.ts";
import { createUsbipHost } from "../../../hw/usb-host/usbip-host.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { TestLog } from "../../support/coap-pair.ts";
import { USBIP_LISTED } from "../../support/usbip-peer.ts";

const STICK: FoundStick = { at: "1-1", vendorId: 0x1234, productId: 0x4321, state: "unknown", isToken: true };

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("a USB/IP server that falls silent", () => {
  let server: Server;
  const sockets = new Set<Socket>();
  /** What it answers to the first request of a connection; nothing unless said otherwise. */
  let reply: Uint8Array | undefined;
  let clock: VirtualClock;
  let host: UsbHost;

  beforeEach(async () => {
    reply = undefined;
    clock = new VirtualClock();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
      socket.once("data", () => {
        socket.resume();
        if (reply !== undefined) socket.write(reply);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const bound = server.address();
    assert.ok(bound !== null && typeof bound === "object");
    host = createUsbipHost({ host: "127.0.0.1", port: bound.port, clock });
  });
  afterEach(async () => {
    await host.close();
    await new Promise<void>((resolve) => server.close(() => resolve())); // once all connections have ended
  });

  /** Time passes until it is settled; how much passed. */
  const passing = async (work: Promise<unknown>): Promise<number> => {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    work.then(settle, settle);
    const begin = clock.now();
    for (let turns = 0; !isSettled; turns++) {
      assert.ok(turns < 100_000, "it is never settled");
      await turn();
      if (turns % 20 === 19) clock.advance(100);
    }
    return clock.now() - begin;
  };

  it("before the list", async () => {
    const asked = host.find();
    const ms = await passing(asked);
    await assert.rejects(asked, /did not answer within 5 s/);
    assert.ok(ms >= 5_000 && ms < 6_000, `${ms} ms`);
  });

  it("behind the import: a control transfer ends, and the stick is gone", async () => {
    reply = encode(OpRepImport, { version: VERSION, code: OpCode.RepImport, reply: { status: 0, device: USBIP_LISTED.device } }); // biome-ignore format: one line
    const claimed = await host.claim(STICK);
    let gone = 0;
    claimed.onGone(() => gone++);
    const opening = openStickLink(claimed, { log: new TestLog(), clock });
    const ms = await passing(opening);
    await assert.rejects(opening, /The stick 1-1 is gone: its server does not answer/);
    assert.ok(ms >= 6_000 && ms < 8_000, `${ms} ms`);
    assert.equal(gone, 1);
  });

  it("and whoever waits for it is told when nobody wants to know any more", async () => {
    const asked = host.find();
    while (sockets.size === 0) await turn();
    await host.close();
    await assert.rejects(asked, /is not asked any more/);
    await assert.rejects(host.find(), /is not asked any more/);
    assert.equal(clock.now(), 0);
  });

  it("within its answer", async () => {
    const list = encode(OpRepDevlist, {
      version: VERSION,
      code: OpCode.RepDevlist,
      reply: { status: 0, devices: [USBIP_LISTED] },
    });
    reply = list.subarray(0, list.byteLength - 1);
    const asked = host.find();
    await passing(asked);
    await assert.rejects(asked, /did not answer within 5 s/);
  });
});
