/** Messages of usbredir, from both sides. */
import { type Features, NO_FEATURES, type RedirSender } from "../../../hw/usb-device/usbredir/bodies.ts";
import { type RedirMessage, redirMessage, redirMessageBytes } from "../../../hw/usb-device/usbredir/codec.ts";
import { encode } from "../../../shared/bytes/index.ts";
import { type Decoder, hex, ofCodec, ofFunction } from "../decoder.ts";

const QEMU: Features = {
  deviceVersion: true,
  disconnectAck: true,
  maxPacketSize: true,
  ids64: true,
  bulkLength32: true,
};
const table = (first: number) => Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? first : 0));
const control = { request: 6, status: 0, value: 0x0100, index: 0, length: 3 };
const bulk = { status: 0, length: 3 };
const [none, three] = [new Uint8Array(0), hex("010203")];

const fromBoth: readonly RedirMessage[] = [
  { type: "hello", id: 0n, body: { version: new Uint8Array(64).fill(0x71), capabilities: [0x7a] } },
];
const fromGuest: readonly RedirMessage[] = [
  ...fromBoth,
  { type: "reset", id: 1n, body: undefined },
  { type: "setConfiguration", id: 2n, body: { configuration: 1 } },
  { type: "getConfiguration", id: 3n, body: undefined },
  { type: "setAltSetting", id: 4n, body: { interface: 0, alt: 0 } },
  { type: "getAltSetting", id: 5n, body: { interface: 0 } },
  { type: "cancelDataPacket", id: 6n, body: undefined },
  { type: "deviceDisconnectAck", id: 7n, body: undefined },
  { type: "controlPacket", id: 8n, body: { ...control, endpoint: 0x80, requestType: 0x80, data: none } },
  { type: "controlPacket", id: 9n, body: { ...control, endpoint: 0, requestType: 0, data: three } },
  { type: "bulkPacket", id: 10n, body: { ...bulk, endpoint: 0x81, data: none } },
  { type: "bulkPacket", id: 11n, body: { ...bulk, endpoint: 0x01, data: three } },
];
const fromDevice: readonly RedirMessage[] = [
  ...fromBoth,
  {
    type: "deviceConnect",
    id: 0n,
    body: {
      speed: 1,
      deviceClass: 0,
      deviceSubclass: 0,
      deviceProtocol: 0,
      vendorId: 1,
      productId: 2,
      deviceVersion: 3,
    },
  },
  { type: "deviceDisconnect", id: 0n, body: undefined },
  {
    type: "interfaceInfo",
    id: 0n,
    body: {
      interfaceCount: 1,
      interface: table(0),
      interfaceClass: table(2),
      interfaceSubclass: table(12),
      interfaceProtocol: table(7),
    },
  },
  {
    type: "epInfo",
    id: 0n,
    body: { type: table(0), interval: table(1), interface: table(0), maxPacketSize: new Array<number>(32).fill(64) },
  },
  { type: "configurationStatus", id: 2n, body: { status: 0, configuration: 1 } },
  { type: "altSettingStatus", id: 4n, body: { status: 4, interface: 0, alt: 0 } },
  { type: "controlPacket", id: 8n, body: { ...control, endpoint: 0x80, requestType: 0x80, data: three } },
  { type: "controlPacket", id: 9n, body: { ...control, endpoint: 0, requestType: 0, data: none } },
  { type: "bulkPacket", id: 10n, body: { ...bulk, endpoint: 0x81, data: three } },
  { type: "bulkPacket", id: 11n, body: { ...bulk, endpoint: 0x01, data: none } },
];

function messages(name: string, features: Features, from: RedirSender, all: readonly RedirMessage[]): Decoder {
  const codec = redirMessage(features, from);
  return ofCodec(
    `usbredir: ${name}`,
    codec,
    all.map((message) => encode(codec, message)),
  );
}

export const usbredirDecoders: readonly Decoder[] = [
  messages("messages of a guest", QEMU, "guest", fromGuest),
  messages("messages of a device", QEMU, "device", fromDevice),
  messages("messages of an old guest", NO_FEATURES, "guest", fromGuest),
  messages("messages of an old device", NO_FEATURES, "device", fromDevice),
  ofFunction(
    "usbredir: message size",
    (input) => redirMessageBytes(input, QEMU, "guest"),
    fromGuest.map((message) => encode(redirMessage(QEMU, "guest"), message).slice(0, 16)),
    { trailing: "only the header is looked at" },
  ),
];
