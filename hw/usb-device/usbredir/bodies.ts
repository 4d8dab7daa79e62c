/** The bodies of usbredir's messages: USB Network Redirection Protocol 0.7 (usbredirproto.h). Little-endian throughout. */
import {
  type Codec,
  fixed,
  flags,
  type Infer,
  inField,
  mapped,
  oneOf,
  rest,
  struct,
  u8,
  u16le,
  u32le,
} from "../../../shared/bytes/index.ts";

/** Who sent a message: the side that has the device (`usb-host` in the protocol's words), or the one with the virtual machine. */
export type RedirSender = "device" | "guest";

/** Bit numbers of the capability words in hello. */
export const Capability = {
  ConnectDeviceVersion: 1,
  DeviceDisconnectAck: 3,
  EpInfoMaxPacketSize: 4,
  Ids64: 5,
  BulkLength32: 6,
} as const;

/** What changes the layout of messages; in force when both sides have announced it. */
export interface Features {
  readonly deviceVersion: boolean;
  readonly disconnectAck: boolean;
  readonly maxPacketSize: boolean;
  readonly ids64: boolean;
  readonly bulkLength32: boolean;
}

/** Before both hellos, and for every hello. */
export const NO_FEATURES: Features = {
  deviceVersion: false,
  disconnectAck: false,
  maxPacketSize: false,
  ids64: false,
  bulkLength32: false,
};

export const RedirStatus = {
  Success: 0,
  Cancelled: 1,
  Invalid: 2,
  IoError: 3,
  Stall: 4,
  Timeout: 5,
  Babble: 6,
} as const;
const Status: Codec<number> = oneOf(u8, Object.values(RedirStatus));
/** Of a transfer. In requests it means nothing, and QEMU leaves there what happened to be in its memory. */
const statusFrom = (sender: RedirSender): Codec<number> => (sender === "guest" ? u8 : Status);

export const RedirSpeed = { Low: 0, Full: 1, High: 2, Super: 3, Unknown: 255 } as const;
/** Of an endpoint; those that do not exist are invalid. */
export const RedirEndpointType = { Control: 0, Isochronous: 1, Bulk: 2, Interrupt: 3, Invalid: 255 } as const;

/** Endpoints in the order of the tables: OUT 0 to 15, then IN 0 to 15. */
export const ENDPOINTS = 32;
export const MAX_INTERFACES = 32;
/** Of one transfer. Linux' drivers stay far below it, and USB 2.0 control transfers cannot be longer. */
export const MAX_TRANSFER_BYTES = 0x1_0000;
const VERSION_BYTES = 64;
const MAX_CAPABILITY_WORDS = 8;
const NO_DATA = new Uint8Array(0);

/** `item` again and again, to the end of the message or exactly `count` times. */
function many<T>(item: Codec<T>, min: number, max: number): Codec<readonly T[]> {
  return {
    read(from) {
      const items: T[] = [];
      while (from.remaining > 0 && items.length < max) {
        const at = items.length;
        items.push(inField(`[${at}]`, () => item.read(from)));
      }
      if (items.length < min) from.fail(`${items.length} of ${min}`);
      return items;
    },
    write(to, items) {
      if (items.length < min || items.length > max) throw new RangeError(`${items.length} items`);
      for (const one of items) item.write(to, one);
    },
  };
}

const NONE: Codec<undefined> = { read: () => undefined, write: () => undefined };

export const Hello = struct("hello", {
  /** A text for people, padded with zeros. */
  version: fixed(VERSION_BYTES),
  capabilities: many(u32le, 0, MAX_CAPABILITY_WORDS),
});

export interface DeviceConnect {
  readonly speed: number;
  readonly deviceClass: number;
  readonly deviceSubclass: number;
  readonly deviceProtocol: number;
  readonly vendorId: number;
  readonly productId: number;
  /** bcdDevice; not told to peers that do not know the capability. */
  readonly deviceVersion: number | undefined;
}

function optional<T>(present: boolean, codec: Codec<T>, name: string): Codec<T | undefined> {
  return {
    read: (from) => (present ? codec.read(from) : undefined),
    write(to, value) {
      if (!present) return;
      if (value === undefined) throw new RangeError(`${name} is missing`);
      codec.write(to, value);
    },
  };
}

const deviceConnect = (features: Features): Codec<DeviceConnect> =>
  struct("device_connect", {
    speed: oneOf(u8, Object.values(RedirSpeed)),
    deviceClass: u8,
    deviceSubclass: u8,
    deviceProtocol: u8,
    vendorId: u16le,
    productId: u16le,
    deviceVersion: optional(features.deviceVersion, u16le, "deviceVersion"),
  });

const InterfaceInfo = struct("interface_info", {
  /** How many entries of the tables count. */
  interfaceCount: mapped(u32le, (n) => (n <= MAX_INTERFACES ? n : undefined), (n: number) => n), // biome-ignore format: a limit
  interface: fixed(MAX_INTERFACES),
  interfaceClass: fixed(MAX_INTERFACES),
  interfaceSubclass: fixed(MAX_INTERFACES),
  interfaceProtocol: fixed(MAX_INTERFACES),
});
export type InterfaceInfo = Infer<typeof InterfaceInfo>;

export interface EpInfo {
  readonly type: Uint8Array;
  readonly interval: Uint8Array;
  readonly interface: Uint8Array;
  readonly maxPacketSize: readonly number[] | undefined;
}

const epInfo = (features: Features): Codec<EpInfo> =>
  struct("ep_info", {
    type: fixed(ENDPOINTS),
    interval: fixed(ENDPOINTS),
    interface: fixed(ENDPOINTS),
    maxPacketSize: optional(features.maxPacketSize, many(u16le, ENDPOINTS, ENDPOINTS), "maxPacketSize"),
  });

const SetConfiguration = struct("set_configuration", { configuration: u8 });
const ConfigurationStatus = struct("configuration_status", { status: Status, configuration: u8 });
const SetAltSetting = struct("set_alt_setting", { interface: u8, alt: u8 });
const GetAltSetting = struct("get_alt_setting", { interface: u8 });
const AltSettingStatus = struct("alt_setting_status", { status: Status, interface: u8, alt: u8 });

const EndpointAddress = flags(u8, 0x8f);
export const isIn = (endpoint: number): boolean => (endpoint & 0x80) !== 0;

const controlLayout = (sender: RedirSender) =>
  struct("control_packet", {
    endpoint: flags(u8, 0x80),
    request: u8,
    requestType: u8,
    status: statusFrom(sender),
    value: u16le,
    index: u16le,
    /** Of the data stage: asked for, or had. */
    length: u16le,
  });
type ControlHeader = Infer<ReturnType<typeof controlLayout>>;
export type ControlPacket = ControlHeader & { readonly data: Uint8Array };

/** The endpoint is 0 in the direction that bmRequestType has. */
function controlHeader(sender: RedirSender): Codec<ControlHeader> {
  const layout = controlLayout(sender);
  return {
    read(from) {
      const head = layout.read(from);
      if (isIn(head.endpoint) !== isIn(head.requestType)) from.fail("control_packet: two directions");
      return head;
    },
    write: layout.write,
  };
}

interface BulkHeader {
  readonly endpoint: number;
  readonly status: number;
  /** Asked for, or had. */
  readonly length: number;
}
export type BulkPacket = BulkHeader & { readonly data: Uint8Array };

/** The length's halves are apart, and the upper one is there with the capability only. Streams are for USB 3. */
function bulkHeader(features: Features, sender: RedirSender): Codec<BulkHeader> {
  const layout = struct("bulk_packet", {
    endpoint: EndpointAddress,
    status: statusFrom(sender),
    length: u16le,
    streamId: oneOf(u32le, [0]),
    lengthHigh: optional(features.bulkLength32, u16le, "lengthHigh"),
  });
  return {
    read(from) {
      const { endpoint, status, length, lengthHigh = 0 } = layout.read(from);
      return { endpoint, status, length: lengthHigh * 0x1_0000 + length };
    },
    write(to, { endpoint, status, length }) {
      const lengthHigh = Math.floor(length / 0x1_0000);
      if (lengthHigh > 0 && !features.bulkLength32) throw new RangeError(`${length} bytes where 65535 is the most`);
      layout.write(to, { endpoint, status, length: length % 0x1_0000, streamId: 0, lengthHigh });
    },
  };
}

/** A header and its data. Data goes with the direction of its endpoint: OUT in the guest's request, IN in the device's answer. */
function withData<H extends { readonly endpoint: number; readonly length: number }>(
  header: Codec<H>,
  sender: RedirSender,
): Codec<H & { readonly data: Uint8Array }> {
  const carries = ({ endpoint }: H) => isIn(endpoint) === (sender === "device");
  return {
    read(from) {
      const head = header.read(from);
      const data = carries(head) ? inField("data", () => from.within(head.length).rest()) : NO_DATA;
      return { ...head, data };
    },
    write(to, packet) {
      const expected = carries(packet) ? packet.length : 0;
      if (packet.data.byteLength !== expected) {
        throw new RangeError(`${packet.data.byteLength} bytes of data where ${expected} belong`);
      }
      header.write(to, packet);
      rest.write(to, packet.data);
    },
  };
}

export interface Bodies {
  readonly hello: Infer<typeof Hello>;
  readonly deviceConnect: DeviceConnect;
  readonly deviceDisconnect: undefined;
  readonly reset: undefined;
  readonly interfaceInfo: InterfaceInfo;
  readonly epInfo: EpInfo;
  readonly setConfiguration: Infer<typeof SetConfiguration>;
  readonly getConfiguration: undefined;
  readonly configurationStatus: Infer<typeof ConfigurationStatus>;
  readonly setAltSetting: Infer<typeof SetAltSetting>;
  readonly getAltSetting: Infer<typeof GetAltSetting>;
  readonly altSettingStatus: Infer<typeof AltSettingStatus>;
  readonly cancelDataPacket: undefined;
  readonly deviceDisconnectAck: undefined;
  readonly controlPacket: ControlPacket;
  readonly bulkPacket: BulkPacket;
}
export type RedirType = keyof Bodies;

/** A body for each type; which side may send it is not looked at here. */
export function bodyCodecs(features: Features, sender: RedirSender): { readonly [T in RedirType]: Codec<Bodies[T]> } {
  return {
    hello: Hello,
    deviceConnect: deviceConnect(features),
    deviceDisconnect: NONE,
    reset: NONE,
    interfaceInfo: InterfaceInfo,
    epInfo: epInfo(features),
    setConfiguration: SetConfiguration,
    getConfiguration: NONE,
    configurationStatus: ConfigurationStatus,
    setAltSetting: SetAltSetting,
    getAltSetting: GetAltSetting,
    altSettingStatus: AltSettingStatus,
    cancelDataPacket: NONE,
    deviceDisconnectAck: NONE,
    controlPacket: withData(controlHeader(sender), sender),
    bulkPacket: withData(bulkHeader(features, sender), sender),
  };
}
