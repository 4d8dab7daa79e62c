import assert from "node:assert/strict";
import fc from "fast-check";
import { type Features, NO_FEATURES, type RedirSender } from "../../../../hw/usb-device/usbredir/bodies.ts";
import {
  headerBytes,
  type RedirMessage,
  redirMessage,
  redirMessageBytes,
} from "../../../../hw/usb-device/usbredir/codec.ts";
import { CodecError, decode, encode } from "../../../../shared/bytes/index.ts";
import { assertStrict } from "../../../support/fuzz.ts";
import { ALL_FEATURES, NO_DATA } from "./guest.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const zeros = (size: number) => "00".repeat(size);

/** Laid out by hand after usbredirproto.h, all capabilities in force. */
const vectors: readonly (readonly [name: string, from: RedirSender, bytes: string, message: RedirMessage])[] = [
  ["device_connect", "device", "01000000 0a000000 0000000000000000 01 00 00 00 3412 2143 0001", { type: "deviceConnect", id: 0n, body: { speed: 1, deviceClass: 0, deviceSubclass: 0, deviceProtocol: 0, vendorId: 0x1234, productId: 0x4321, deviceVersion: 0x0100 } }],
  ["device_disconnect", "device", "02000000 00000000 0000000000000000", { type: "deviceDisconnect", id: 0n, body: undefined }],
  ["reset", "guest", "03000000 00000000 0100000000000000", { type: "reset", id: 1n, body: undefined }],
  ["set_configuration", "guest", "06000000 01000000 0200000000000000 01", { type: "setConfiguration", id: 2n, body: { configuration: 1 } }],
  ["get_configuration", "guest", "07000000 00000000 0300000000000000", { type: "getConfiguration", id: 3n, body: undefined }],
  ["configuration_status", "device", "08000000 02000000 0200000000000000 00 01", { type: "configurationStatus", id: 2n, body: { status: 0, configuration: 1 } }],
  ["set_alt_setting", "guest", "09000000 02000000 0400000000000000 00 00", { type: "setAltSetting", id: 4n, body: { interface: 0, alt: 0 } }],
  ["get_alt_setting", "guest", "0a000000 01000000 0500000000000000 00", { type: "getAltSetting", id: 5n, body: { interface: 0 } }],
  ["alt_setting_status", "device", "0b000000 03000000 0500000000000000 04 00 00", { type: "altSettingStatus", id: 5n, body: { status: 4, interface: 0, alt: 0 } }],
  ["cancel_data_packet", "guest", "15000000 00000000 ffffffffffffffff", { type: "cancelDataPacket", id: 0xffff_ffff_ffff_ffffn, body: undefined }],
  ["device_disconnect_ack", "guest", "18000000 00000000 0000000000000000", { type: "deviceDisconnectAck", id: 0n, body: undefined }],
  ["control_packet, IN asked", "guest", "64000000 0a000000 0600000000000000 80 06 80 00 0001 0000 1200", { type: "controlPacket", id: 6n, body: { endpoint: 0x80, request: 6, requestType: 0x80, status: 0, value: 0x0100, index: 0, length: 18, data: NO_DATA } }],
  ["control_packet, IN asked, with what was in QEMU's memory as status", "guest", "64000000 0a000000 0600000000000000 80 06 80 d0 0001 0000 1200", { type: "controlPacket", id: 6n, body: { endpoint: 0x80, request: 6, requestType: 0x80, status: 0xd0, value: 0x0100, index: 0, length: 18, data: NO_DATA } }],
  ["control_packet, IN answered", "device", "64000000 0c000000 0600000000000000 80 00 80 00 0000 0000 0200 0100", { type: "controlPacket", id: 6n, body: { endpoint: 0x80, request: 0, requestType: 0x80, status: 0, value: 0, index: 0, length: 2, data: hex("0100") } }],
  ["control_packet, OUT with data", "guest", "64000000 0c000000 0700000000000000 00 07 00 00 0000 0000 0200 aabb", { type: "controlPacket", id: 7n, body: { endpoint: 0, request: 7, requestType: 0, status: 0, value: 0, index: 0, length: 2, data: hex("aabb") } }],
  ["control_packet, OUT answered", "device", "64000000 0a000000 0700000000000000 00 07 00 00 0000 0000 0200", { type: "controlPacket", id: 7n, body: { endpoint: 0, request: 7, requestType: 0, status: 0, value: 0, index: 0, length: 2, data: NO_DATA } }],
  ["bulk_packet, IN asked", "guest", "65000000 0a000000 0800000000000000 81 00 f405 00000000 0000", { type: "bulkPacket", id: 8n, body: { endpoint: 0x81, status: 0, length: 1524, data: NO_DATA } }],
  ["bulk_packet, IN asked for 64 KiB", "guest", "65000000 0a000000 0800000000000000 81 00 0000 00000000 0100", { type: "bulkPacket", id: 8n, body: { endpoint: 0x81, status: 0, length: 0x1_0000, data: NO_DATA } }],
  ["bulk_packet, IN answered", "device", "65000000 0d000000 0800000000000000 81 00 0300 00000000 0000 010203", { type: "bulkPacket", id: 8n, body: { endpoint: 0x81, status: 0, length: 3, data: hex("010203") } }],
  ["bulk_packet, OUT", "guest", "65000000 0c000000 0900000000000000 01 00 0200 00000000 0000 0102", { type: "bulkPacket", id: 9n, body: { endpoint: 1, status: 0, length: 2, data: hex("0102") } }],
  ["bulk_packet, cancelled", "device", "65000000 0a000000 0800000000000000 81 01 0000 00000000 0000", { type: "bulkPacket", id: 8n, body: { endpoint: 0x81, status: 1, length: 0, data: NO_DATA } }],
  ["interface_info", "device", `04000000 84000000 0000000000000000 01000000 00${zeros(31)} 02${zeros(31)} 0c${zeros(31)} 07${zeros(31)}`, { type: "interfaceInfo", id: 0n, body: { interfaceCount: 1, interface: hex(zeros(32)), interfaceClass: hex(`02${zeros(31)}`), interfaceSubclass: hex(`0c${zeros(31)}`), interfaceProtocol: hex(`07${zeros(31)}`) } }],
  ["ep_info", "device", `05000000 a0000000 0000000000000000 00 02${"ff".repeat(14)}00 02${"ff".repeat(14)} ${zeros(32)} ${zeros(32)} 40004000 ${zeros(28)} 40004000 ${zeros(28)}`, { type: "epInfo", id: 0n, body: { type: hex(`0002${"ff".repeat(14)}0002${"ff".repeat(14)}`), interval: hex(zeros(32)), interface: hex(zeros(32)), maxPacketSize: [64, 64, ...new Array<number>(14).fill(0), 64, 64, ...new Array<number>(14).fill(0)] } }],
]; // biome-ignore format: one message, one line

const hello = hex(
  `00000000 44000000 00000000 ${Buffer.from("qemu usb-redir guest 7.2.22").toString("hex").padEnd(128, "0")} ff000000`,
);

const messages: fc.Arbitrary<readonly [RedirSender, RedirMessage]> = (() => {
  const id = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
  const byte = fc.integer({ min: 0, max: 255 });
  const data = fc.uint8Array({ maxLength: 300 });
  const control = fc.tuple(fc.constantFrom<RedirSender>("guest", "device"), fc.boolean(), byte, byte, data, id);
  return control.map(([from, into, request, value, bytes, number]) => {
    const direction = into ? 0x80 : 0;
    const carried = into === (from === "device") ? bytes : NO_DATA;
    const body = { endpoint: direction, request, requestType: direction | 0x21, status: 0, value, index: 1 };
    return [
      from,
      { type: "controlPacket", id: number, body: { ...body, length: bytes.byteLength, data: carried } },
    ] as const;
  });
})();

describe("usbredir messages", () => {
  for (const [name, from, bytes, message] of vectors) {
    it(`${name}: both ways, no prefix, nothing behind`, () => {
      const codec = redirMessage(ALL_FEATURES, from);
      assert.deepEqual(decode(codec, hex(bytes)), message);
      assert.deepEqual(Buffer.from(encode(codec, message)), Buffer.from(hex(bytes)));
      assertStrict(name, (input) => decode(codec, input), hex(bytes));
      assert.equal(redirMessageBytes(hex(bytes).slice(0, 16), ALL_FEATURES, from), hex(bytes).byteLength);
    });
  }

  it("hello: a header of 12 bytes, any number of capability words up to eight", () => {
    const codec = redirMessage(NO_FEATURES, "guest");
    const message = decode(codec, hello);
    assert.equal(message.type, "hello");
    assert.deepEqual(encode(codec, message), hello);
    assert.equal(headerBytes(NO_FEATURES), 12);
    for (const words of [0, 8]) {
      const version = new Uint8Array(64);
      const capabilities = new Array<number>(words).fill(1);
      const body = { version, capabilities };
      assert.deepEqual(decode(codec, encode(codec, { type: "hello", id: 0n, body })).body, body);
    }
    assert.throws(
      () => encode(codec, { type: "hello", id: 0n, body: { version: NO_DATA, capabilities: [] } }),
      RangeError,
    );
  });

  it("old peers: ids of 32 bits, no packet sizes, no device version, lengths of 16 bits", () => {
    const old = redirMessage(NO_FEATURES, "device");
    const connect = { speed: 1, deviceClass: 0, deviceSubclass: 0, deviceProtocol: 0, vendorId: 1, productId: 2 };
    const written = encode(old, { type: "deviceConnect", id: 7n, body: { ...connect, deviceVersion: 0x0100 } });
    assert.deepEqual(written, hex("01000000 08000000 07000000 01 00 00 00 0100 0200"));
    assert.deepEqual(decode(old, written).body, { ...connect, deviceVersion: undefined });
    const bulk = { endpoint: 0x81, status: 0, length: 1, data: Uint8Array.of(5) };
    const packet = hex("65000000 09000000 08000000 81 00 0100 00000000 05");
    assert.deepEqual(encode(old, { type: "bulkPacket", id: 8n, body: bulk }), packet);
    const tooLong = { ...bulk, length: 0x1_0000, data: new Uint8Array(0x1_0000) };
    assert.throws(() => encode(old, { type: "bulkPacket", id: 8n, body: tooLong }), RangeError);
  });

  it("refuses what the other side may not send, and what nobody does", () => {
    const header = (type: string, length = "00000000") => hex(`${type} ${length} 0000000000000000`);
    const size = (bytes: Uint8Array, from: RedirSender) => () => redirMessageBytes(bytes, ALL_FEATURES, from);
    assert.throws(size(header("01000000"), "guest"), /usbredir\.type: deviceConnect is not the guest's to send/);
    assert.throws(size(header("03000000"), "device"), /reset is not the device's to send/);
    for (const type of ["0c000000", "66000000", "67000000", "17000000", "ffffffff"]) {
      assert.throws(size(header(type), "guest"), /message type \d+ is not known/);
    }
    assert.throws(
      size(header("65000000", "0b000100"), "guest"),
      /usbredir\.length: 65547 bytes where 65546 are the most/,
    );
    assert.equal(size(header("65000000", "0a000100"), "guest")(), 16 + 65_546);
  });

  it("refuses contradictions", () => {
    const guest = redirMessage(ALL_FEATURES, "guest");
    const device = redirMessage(ALL_FEATURES, "device");
    const refused = (codec: typeof guest, bytes: string, why: RegExp) =>
      assert.throws(() => decode(codec, hex(bytes)), why);
    refused(guest, "64000000 0a000000 0600000000000000 00 06 80 00 0001 0000 1200", /two directions/);
    refused(guest, "64000000 0a000000 0600000000000000 81 06 80 00 0001 0000 1200", /endpoint: reserved bits/);
    refused(guest, "65000000 0a000000 0800000000000000 91 00 f405 00000000 0000", /endpoint: reserved bits/);
    refused(guest, "65000000 0a000000 0800000000000000 81 00 f405 01000000 0000", /streamId/);
    refused(guest, "65000000 0b000000 0900000000000000 01 00 0200 00000000 0000 01", /data: 2 bytes wanted, 1 left/);
    refused(device, "65000000 0a000000 0800000000000000 81 07 0000 00000000 0000", /status/);
    refused(device, "0b000000 03000000 0500000000000000 07 00 00", /status/);
    refused(device, `04000000 84000000 0000000000000000 21000000 ${zeros(128)}`, /interfaceCount/);
    const body = { endpoint: 1, status: 0, length: 2, data: Uint8Array.of(1) };
    assert.throws(() => encode(guest, { type: "bulkPacket", id: 0n, body }), RangeError);
  });

  it("reads what it writes, with every set of features", () => {
    const features: fc.Arbitrary<Features> = fc.record({
      deviceVersion: fc.boolean(),
      disconnectAck: fc.boolean(),
      maxPacketSize: fc.boolean(),
      ids64: fc.constant(true),
      bulkLength32: fc.boolean(),
    });
    fc.assert(
      fc.property(features, messages, (some, [from, message]) => {
        const codec = redirMessage(some, from);
        assert.deepEqual(decode(codec, encode(codec, message)), message);
      }),
    );
    assert.throws(() => decode(redirMessage(ALL_FEATURES, "guest"), new Uint8Array(16).fill(0xff)), CodecError);
  });
});
