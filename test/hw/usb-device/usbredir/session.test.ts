import assert from "node:assert/strict";
import { type RedirMessage, redirMessage } from "../../../../hw/usb-device/usbredir/codec.ts";
import { decode, encode } from "../../../../shared/bytes/index.ts";
import { EemPacket } from "../../../../shared/eem/index.ts";
import { createEemFunction } from "../../../../token/usb/index.ts";
import { frameOf } from "../../../contract/frame-link.ts";
import { fuzzedInputs } from "../../../support/fuzz.ts";
import { ALL_FEATURES, attached, Guest, NO_DATA, type Of, scene } from "./guest.ts";

const bytes = (size: number, fill = 1) => new Uint8Array(size).fill(fill);
const idsAndStatus = (messages: readonly RedirMessage[]) =>
  messages.map((message) => [
    message.id,
    "status" in (message.body ?? {}) ? (message as Of<"bulkPacket">).body.status : -1,
  ]);

describe("usbredir session", () => {
  it("says hello at once, and shows the device when the guest has said it, too", () => {
    const { session, guest, device, failures } = scene();
    session.start();
    const [hello] = guest.got as readonly Of<"hello">[];
    assert.deepEqual(hello?.body.capabilities, [0x7a]);
    session.plug();
    assert.deepEqual(guest.types, ["hello"]);
    guest.hello();
    assert.deepEqual(guest.types, ["hello", "interfaceInfo", "epInfo", "deviceConnect"]);
    assert.deepEqual([device.resets, session.attached, failures], [1, true, []]);
    const [interfaces, endpoints, connect] = guest.take() as readonly [
      Of<"interfaceInfo">,
      Of<"epInfo">,
      Of<"deviceConnect">,
    ];
    assert.equal(interfaces.body.interfaceCount, 1);
    assert.deepEqual(
      [interfaces.body.interfaceClass[0], interfaces.body.interfaceSubclass[0], interfaces.body.interfaceProtocol[0]],
      [0x02, 0x0c, 0x07],
    );
    const types = [...endpoints.body.type.entries()].filter(([, type]) => type !== 255);
    assert.deepEqual(types, [[0, 0], [1, 2], [16, 0], [17, 2]]); // biome-ignore format: endpoint, type
    assert.deepEqual([0, 1, 2, 16, 17].map((at) => endpoints.body.maxPacketSize?.[at]), [64, 64, 0, 64, 64]); // biome-ignore format: as above
    assert.deepEqual([connect.body.vendorId, connect.body.productId, connect.body.speed], [0x1234, 0x4321, 1]);
  });

  it("waits for the device to be plugged in", () => {
    const { session, guest } = scene();
    session.start();
    guest.hello();
    assert.deepEqual(guest.types, ["hello"]);
    guest.bulkIn(1n, 64); // for nobody
    session.plug();
    assert.deepEqual(
      guest.take().map(({ type }) => type),
      ["interfaceInfo", "epInfo", "deviceConnect"],
    );
    session.plug();
    assert.deepEqual(guest.take(), []);
  });

  it("speaks to guests without capabilities", () => {
    const { session, guest, device } = scene();
    session.start();
    guest.hello([0]);
    session.plug();
    const [, endpoints, connect] = guest.take() as readonly [RedirMessage, Of<"epInfo">, Of<"deviceConnect">];
    assert.equal(endpoints.body.maxPacketSize, undefined);
    assert.equal(connect.body.deviceVersion, undefined);
    guest.bulkIn(5n, 64);
    device.give(bytes(3));
    assert.deepEqual(guest.one("bulkPacket").body.data, bytes(3));
    session.unplug();
    assert.equal(guest.one("deviceDisconnect").id, 0n);
    session.plug(); // such a guest tells nothing of letting go
    assert.equal(guest.take().length, 3);
  });

  it("answers control transfers: data, a stall, or the header alone", () => {
    const { guest, device } = attached();
    const body = { endpoint: 0x80, request: 6, requestType: 0x80, status: 9, value: 0x0100, index: 0, length: 18 };
    guest.say({ type: "controlPacket", id: 1n, body: { ...body, data: NO_DATA } });
    const answer = guest.one("controlPacket");
    assert.deepEqual([answer.id, answer.body.status, answer.body.length], [1n, 0, 4]);
    assert.deepEqual(answer.body.data, bytes(4, 7));
    const out = { ...body, endpoint: 0, requestType: 0x21, length: 2 };
    guest.say({ type: "controlPacket", id: 2n, body: { ...out, data: bytes(2) } });
    assert.deepEqual(guest.one("controlPacket").body, { ...out, status: 0, data: NO_DATA });
    device.refusesControl = true;
    guest.say({ type: "controlPacket", id: 3n, body: { ...body, data: NO_DATA } });
    assert.deepEqual(guest.one("controlPacket").body, { ...body, status: 4, length: 0, data: NO_DATA });
    assert.deepEqual(device.asked, ["control 128.6 256 0 0", "control 33.6 256 0 2", "control 128.6 256 0 0"]);
  });

  it("tells of the endpoints before it says that a configuration or a setting was chosen", () => {
    const { guest, device } = attached();
    guest.say({ type: "setConfiguration", id: 1n, body: { configuration: 1 } });
    const chosen = guest.take();
    assert.deepEqual(chosen.map(({ type, id }) => [type, id]), [["interfaceInfo", 1n], ["epInfo", 1n], ["configurationStatus", 1n]]); // biome-ignore format: in order
    assert.deepEqual(chosen[2]?.body, { status: 0, configuration: 1 });
    guest.say({ type: "getConfiguration", id: 2n, body: undefined });
    assert.deepEqual(guest.one("configurationStatus").body, { status: 0, configuration: 1 });
    guest.say({ type: "setAltSetting", id: 3n, body: { interface: 0, alt: 0 } });
    assert.deepEqual(
      guest.take().map(({ type }) => type),
      ["interfaceInfo", "epInfo", "altSettingStatus"],
    );
    guest.say({ type: "getAltSetting", id: 4n, body: { interface: 0 } });
    assert.equal(guest.one("altSettingStatus").body.status, 0);
    guest.say({ type: "setConfiguration", id: 5n, body: { configuration: 0 } });
    const [interfaces, endpoints] = guest.take() as readonly [Of<"interfaceInfo">, Of<"epInfo">];
    assert.equal(interfaces.body.interfaceCount, 0);
    assert.deepEqual(
      [...endpoints.body.type].filter((type) => type !== 255),
      [0, 0],
    );
    device.refusesControl = true;
    guest.say({ type: "setConfiguration", id: 6n, body: { configuration: 9 } });
    assert.equal(guest.one("configurationStatus").body.status, 4);
    guest.say({ type: "setAltSetting", id: 7n, body: { interface: 3, alt: 1 } });
    assert.deepEqual(guest.one("altSettingStatus").body, { status: 4, interface: 3, alt: 1 });
    guest.say({ type: "getAltSetting", id: 8n, body: { interface: 3 } });
    assert.equal(guest.one("altSettingStatus").body.status, 4);
    guest.say({ type: "getConfiguration", id: 9n, body: undefined });
    assert.equal(guest.one("configurationStatus").body.status, 4);
  });

  it("holds IN transfers until there is data, and gives it in their order", () => {
    const { guest, device, session } = attached();
    for (const id of [1n, 2n, 3n]) guest.bulkIn(id, 1_524);
    assert.deepEqual(guest.take(), []);
    assert.equal(session.pendingTransfers, 3);
    device.give(bytes(10), bytes(20));
    const [first, second] = guest.take() as readonly [Of<"bulkPacket">, Of<"bulkPacket">];
    assert.deepEqual([first.id, second.id], [1n, 2n]);
    assert.deepEqual([first.body.data, second.body.data], [bytes(10), bytes(20)]);
    device.give("stall");
    assert.deepEqual(guest.one("bulkPacket").body, { endpoint: 0x81, status: 4, length: 0, data: NO_DATA });
    device.give(bytes(100));
    guest.bulkIn(4n, 64);
    guest.bulkIn(5n, 64);
    assert.deepEqual(
      (guest.take() as readonly Of<"bulkPacket">[]).map(({ body }) => body.length),
      [64, 36],
    );
  });

  it("answers OUT transfers with the header alone", () => {
    const { guest, device } = attached();
    guest.bulkOut(1n, bytes(70));
    assert.deepEqual(guest.one("bulkPacket").body, { endpoint: 1, status: 0, length: 70, data: NO_DATA });
    guest.bulkOut(2n, NO_DATA);
    assert.equal(guest.one("bulkPacket").body.length, 0);
    device.out = "stall";
    guest.bulkOut(3n, bytes(5));
    assert.deepEqual(guest.one("bulkPacket").body, { endpoint: 1, status: 4, length: 0, data: NO_DATA });
    assert.deepEqual(device.received, [bytes(70), NO_DATA]);
  });

  it("offers what the device did not take again, in order", () => {
    const { guest, device, clock, session } = attached();
    device.out = "nak";
    guest.bulkOut(1n, bytes(5));
    guest.bulkOut(2n, bytes(6));
    clock.advance(50);
    assert.deepEqual(guest.take(), []);
    device.out = "ack";
    clock.advance(1);
    assert.deepEqual(
      guest.take().map(({ id }) => id),
      [1n, 2n],
    );
    assert.deepEqual(device.received, [bytes(5), bytes(6)]);
    device.out = "nak";
    guest.bulkOut(3n, bytes(5));
    session.end();
    clock.advance(1_000);
    assert.equal(device.received.length, 2);
  });

  it("cancels what is under way, and nothing else", () => {
    const { guest, device } = attached();
    for (const id of [1n, 2n]) guest.bulkIn(id, 64);
    guest.cancel(1n);
    assert.deepEqual(idsAndStatus(guest.take()), [[1n, 1]]);
    guest.cancel(1n);
    guest.cancel(99n);
    assert.deepEqual(guest.take(), []);
    device.give(bytes(4));
    assert.equal(guest.one("bulkPacket").id, 2n);
  });

  it("cancels everything at a reset and with a new configuration or setting", () => {
    const { guest, device } = attached();
    for (const [message, id] of [
      [{ type: "reset", id: 0n, body: undefined }, 1n],
      [{ type: "setConfiguration", id: 50n, body: { configuration: 1 } }, 2n],
      [{ type: "setAltSetting", id: 51n, body: { interface: 0, alt: 0 } }, 3n],
    ] as const) {
      guest.bulkIn(id, 64);
      guest.say(message);
      assert.deepEqual(idsAndStatus(guest.take().slice(0, 1)), [[id, 1]]);
    }
    assert.equal(device.resets, 2);
  });

  it("is unplugged and plugged in on the same connection once the guest let go", () => {
    const { guest, session, device } = attached();
    guest.bulkIn(1n, 64);
    session.unplug();
    session.unplug();
    assert.equal(guest.one("deviceDisconnect").id, 0n);
    assert.deepEqual([device.resets, session.attached, session.pendingTransfers], [2, false, 0]);
    device.give(bytes(3));
    guest.bulkIn(2n, 64); // sent before the guest knew
    guest.cancel(1n);
    session.plug();
    assert.deepEqual(guest.take(), []);
    device.data.length = 0;
    guest.say({ type: "deviceDisconnectAck", id: 0n, body: undefined });
    assert.deepEqual(
      guest.take().map(({ type }) => type),
      ["interfaceInfo", "epInfo", "deviceConnect"],
    );
    guest.bulkIn(3n, 64);
    device.give(bytes(3));
    assert.equal(guest.one("bulkPacket").id, 3n);
  });

  it("stays unplugged when the guest lets go late", () => {
    const { guest, session } = attached();
    session.unplug();
    session.plug();
    session.unplug();
    guest.take();
    guest.say({ type: "deviceDisconnectAck", id: 0n, body: undefined });
    assert.deepEqual(guest.take(), []);
  });

  it("gives the device back when the connection ends", () => {
    const { session, device, clock } = attached();
    session.end();
    session.end();
    assert.equal(device.resets, 2);
    assert.equal(clock.nextDue(), undefined);
  });

  for (const [name, run, why] of [
    ["a message before hello", ({ guest }) => guest.say({ type: "reset", id: 0n, body: undefined }), /reset came before hello/],
    ["a second hello", ({ guest }) => { guest.hello([0]); guest.hello([0]); }, /a second hello came/],
    ["an acknowledgement for nothing", ({ guest }) => { guest.hello(); guest.say({ type: "deviceDisconnectAck", id: 0n, body: undefined }); }, /for nothing/],
    ["an unknown type", ({ guest, session }) => { guest.hello(); session.receive(bytes(16, 0xee)); }, /message type \d+ is not known/],
    ["silence", ({ clock }) => clock.advance(10_000), /no hello came/],
  ] as const satisfies readonly (readonly [string, (it: ReturnType<typeof scene>) => void, RegExp])[]) // biome-ignore format: one case, one line
    it(`ends with a reason after ${name}`, () => {
      const it = scene();
      it.session.start();
      it.session.plug();
      run(it);
      assert.equal(it.failures.length, 1);
      assert.match(it.failures[0] ?? "", why);
      const { resets } = it.device;
      it.guest.take();
      it.session.receive(bytes(100));
      it.session.drained();
      it.clock.advance(60_000);
      assert.deepEqual([it.guest.take(), it.failures.length, it.device.resets], [[], 1, resets]);
    });

  it("refuses a message of impossible length when its header is there", () => {
    const { session, failures } = attached();
    session.receive(Uint8Array.from(Buffer.from("65000000ffffff7f0000000000000000", "hex")));
    assert.match(failures[0] ?? "", /usbredir\.length/);
  });

  it("takes one byte at a time", () => {
    const { guest, session, device } = attached();
    const packet = guest.encode({
      type: "bulkPacket",
      id: 1n,
      body: { endpoint: 1, status: 0, length: 65_536, data: bytes(65_536) },
    });
    for (const byte of packet) session.receive(Uint8Array.of(byte));
    assert.equal(guest.one("bulkPacket").body.status, 0);
    assert.equal(device.received[0]?.byteLength, 65_536);
  });

  it("does not begin more transfers than its limits, nor close the connection for them", () => {
    const { guest, session, device, failures } = attached({ limits: { transfers: 3, heldBytes: 100 } });
    for (let id = 1n; id <= 5n; id++) guest.bulkIn(id, 64);
    assert.deepEqual(idsAndStatus(guest.take()), [[4n, 3], [5n, 3]]); // biome-ignore format: pairs
    guest.cancel(1n);
    guest.take();
    device.out = "nak";
    guest.bulkOut(6n, bytes(101));
    assert.deepEqual(idsAndStatus(guest.take()), [[6n, 3]]);
    guest.bulkOut(7n, bytes(100));
    assert.deepEqual(guest.take(), []);
    assert.equal(session.pendingTransfers, 3);
    guest.cancel(7n);
    assert.deepEqual(idsAndStatus(guest.take()), [[7n, 1]]);
    guest.bulkOut(8n, bytes(100));
    assert.equal(session.pendingTransfers, 3);
    assert.deepEqual(failures, []);
  });

  it("neither reads on nor asks the device while the guest does not read", () => {
    let open = true;
    const sent: Uint8Array[] = [];
    const { session, device, guest } = attached({
      send(data) {
        sent.push(data);
        return open;
      },
    });
    guest.bulkIn(1n, 64);
    guest.bulkIn(2n, 64);
    open = false;
    sent.length = 0;
    device.give(bytes(3), bytes(4), bytes(5));
    assert.equal(sent.length, 1);
    assert.equal(session.congested, true);
    for (let id = 10n; id < 200n; id++) guest.bulkOut(id, bytes(8));
    assert.deepEqual([sent.length, device.received.length, device.data.length], [1, 0, 2]);
    session.drained();
    assert.equal(sent.length, 2);
    open = true;
    session.drained();
    assert.equal(sent.length, 192);
    assert.equal(device.received.length, 190);
    assert.equal(session.congested, false);
  });

  it("carries Ethernet frames of the real function, from both sides at once", () => {
    const fn = createEemFunction({ serial: "TEST" });
    const it = scene({ device: fn.usb });
    fn.usb.onInReady(() => it.session.deviceReady());
    it.session.start();
    it.session.plug();
    it.guest.hello();
    it.guest.say({ type: "setConfiguration", id: 1n, body: { configuration: 1 } });
    for (let id = 2n; id < 6n; id++) it.guest.bulkIn(id, 1_524);
    it.guest.take();
    // Whatever comes is sent back, from inside the device.
    fn.link.onFrame((frame) => fn.link.send(frame));
    it.guest.bulkOut(6n, encode(EemPacket, { kind: "data", crc: "real", frame: frameOf(100) }));
    const [answer, taken] = it.guest.take() as readonly [Of<"bulkPacket">, Of<"bulkPacket">];
    assert.deepEqual([taken.id, answer.id].sort(), [2n, 6n]);
    const back = [taken, answer].find(({ id }) => id === 2n)?.body.data ?? NO_DATA;
    assert.deepEqual(decode(EemPacket, back), { kind: "data", crc: "real", frame: frameOf(100) });
  });

  it("bears every stream: it goes on, or ends once with a reason", () => {
    const guest = new Guest(() => undefined);
    guest.hello();
    const control = { endpoint: 0x80, request: 6, requestType: 0x80, status: 0, value: 0x0100, index: 0, length: 18 };
    const story: readonly RedirMessage[] = [
      { type: "setConfiguration", id: 1n, body: { configuration: 1 } },
      { type: "controlPacket", id: 2n, body: { ...control, data: NO_DATA } },
      { type: "bulkPacket", id: 3n, body: { endpoint: 0x81, status: 0, length: 1_524, data: NO_DATA } },
      { type: "bulkPacket", id: 4n, body: { endpoint: 1, status: 0, length: 9, data: bytes(9) } },
      { type: "cancelDataPacket", id: 3n, body: undefined },
      { type: "reset", id: 5n, body: undefined },
    ];
    const seeds = [Buffer.concat(story.map((message) => encode(redirMessage(ALL_FEATURES, "guest"), message)))];
    const fn = createEemFunction({ serial: "TEST" });
    const limits = { transfers: 8, heldBytes: 4_096 };
    const begin = () => {
      const it = scene({ device: fn.usb, limits, send: () => true });
      it.session.start();
      it.session.plug();
      it.guest.hello();
      return it;
    };
    let [it, ended] = [begin(), 0];
    for (const input of fuzzedInputs("usbredir stream", seeds)) {
      it.session.receive(input);
      assert.ok(it.session.pendingTransfers <= limits.transfers && it.failures.length <= 1);
      assert.equal(it.session.attached, it.failures.length === 0);
      if (it.session.attached) continue;
      it = begin();
      ended += 1;
    }
    assert.ok(ended > 0);
  }).timeout(600_000);
});
