/**
 * The wire of USB/IP, version 1.1.1 (Linux, Documentation/usb/usbip_protocol.rst). Everything is big-endian but the setup packet,
 * which is as on the bus. Data of transfers follows its header and is not part of it.
 */
import {
  type Codec,
  constant,
  fixed,
  type Infer,
  inField,
  list,
  mapped,
  oneOf,
  Reader,
  struct,
  tagged,
  u8,
  u16be,
  u32be,
} from "../../../shared/bytes/index.ts";
import { SetupPacket } from "../../../shared/usb/index.ts";

/** USBIP_VERSION. */
export const VERSION = 0x0111;
/** Of a transfer; more is refused. A device of full speed needs far less, drivers ask for 16 KiB at most. */
export const MAX_TRANSFER_BYTES = 65_536;
const MAX_DEVICES = 256;

export const OpCode = { ReqDevlist: 0x8005, RepDevlist: 0x0005, ReqImport: 0x8003, RepImport: 0x0003 } as const;
export const OpStatus = { Ok: 0, NotAvailable: 1, Busy: 2, DeviceError: 3, NoDevice: 4, Error: 5 } as const;

/** enum usb_device_speed of Linux. */
export const UsbSpeed = { Unknown: 0, Low: 1, Full: 2, High: 3, Wireless: 4, Super: 5, SuperPlus: 6 } as const;

/** Printable ASCII, zeros behind it up to `size` bytes, one zero at least. */
function zeroPadded(size: number): Codec<string> {
  return mapped(
    fixed(size),
    (bytes) => {
      const end = bytes.indexOf(0);
      const text = String.fromCharCode(...bytes.subarray(0, Math.max(end, 0)));
      const isPadded = end >= 0 && bytes.subarray(end).every((byte) => byte === 0);
      return isPadded && /^[ -~]*$/.test(text) ? text : undefined;
    },
    (text) => {
      const bytes = new Uint8Array(size);
      if (text.length >= size || !/^[ -~]*$/.test(text)) throw new RangeError(`"${text}" in ${size} bytes`);
      bytes.set(new TextEncoder().encode(text));
      return bytes;
    },
  );
}

/** Padding that the protocol wants to be zero. */
const zeros = (size: number): Codec<Uint8Array> =>
  mapped(
    fixed(size),
    (bytes) => (bytes.every((byte) => byte === 0) ? bytes : undefined),
    (bytes) => bytes,
  );

const upTo = (max: number): Codec<number> =>
  mapped(
    u32be,
    (value) => (value <= max ? value : undefined),
    (value) => value,
  );

const i32be: Codec<number> = mapped(
  u32be,
  (value) => value | 0,
  (value) => value >>> 0,
);

// ---- before the transfers: which devices there are, and one of them to be imported

const BusId = zeroPadded(32);

/** struct usbip_usb_device. */
export const UsbipDevice = struct("usbip_usb_device", {
  path: zeroPadded(256),
  busid: BusId,
  busnum: u32be,
  devnum: u32be,
  speed: oneOf(u32be, Object.values(UsbSpeed)),
  idVendor: u16be,
  idProduct: u16be,
  bcdDevice: u16be,
  bDeviceClass: u8,
  bDeviceSubClass: u8,
  bDeviceProtocol: u8,
  bConfigurationValue: u8,
  bNumConfigurations: u8,
  bNumInterfaces: u8,
});
export type UsbipDevice = Infer<typeof UsbipDevice>;

/** struct usbip_usb_interface. */
const UsbipInterface = struct("usbip_usb_interface", {
  bInterfaceClass: u8,
  bInterfaceSubClass: u8,
  bInterfaceProtocol: u8,
  padding: constant(u8, 0),
});
type UsbipInterface = Infer<typeof UsbipInterface>;

/** A device of the list, with as many interfaces as it says. */
export interface ListedDevice {
  readonly device: UsbipDevice;
  readonly interfaces: readonly UsbipInterface[];
}

const ListedDevice: Codec<ListedDevice> = {
  read(from) {
    const device = UsbipDevice.read(from);
    const { bNumInterfaces: length } = device;
    const interfaces = Array.from({ length }, (_, i) => inField(`interfaces[${i}]`, () => UsbipInterface.read(from)));
    return { device, interfaces };
  },
  write(to, { device, interfaces }) {
    UsbipDevice.write(to, { ...device, bNumInterfaces: interfaces.length });
    for (const one of interfaces) UsbipInterface.write(to, one);
  },
};

/** What all before the transfers begins with. */
export const OpHeader = struct("op_common", {
  version: constant(u16be, VERSION),
  code: oneOf(u16be, Object.values(OpCode)),
  status: u32be,
});
export const OP_HEADER_BYTES = 8;
const REQ_IMPORT_BYTES = OP_HEADER_BYTES + 32;

/** How many bytes a request has; undefined when the code is not one of a request. */
export function opRequestBytes(code: number): number | undefined {
  if (code === OpCode.ReqDevlist) return OP_HEADER_BYTES;
  return code === OpCode.ReqImport ? REQ_IMPORT_BYTES : undefined;
}

const unused = constant(u32be, 0);

export const OpRequest = struct("OP_REQ", {
  version: constant(u16be, VERSION),
  request: tagged("request", "code", u16be, {
    [OpCode.ReqDevlist]: { status: unused },
    [OpCode.ReqImport]: { status: unused, busid: BusId },
  }),
});
export type OpRequest = Infer<typeof OpRequest>;

/** With a status that is not Ok nothing follows. */
const refusals = {
  [OpStatus.NotAvailable]: {},
  [OpStatus.Busy]: {},
  [OpStatus.DeviceError]: {},
  [OpStatus.NoDevice]: {},
  [OpStatus.Error]: {},
} as const;

export const OpRepDevlist = struct("OP_REP_DEVLIST", {
  version: constant(u16be, VERSION),
  code: constant(u16be, OpCode.RepDevlist),
  reply: tagged("reply", "status", u32be, {
    [OpStatus.Ok]: { devices: list(u32be, ListedDevice, MAX_DEVICES) },
    ...refusals,
  }),
});
export type OpRepDevlist = Infer<typeof OpRepDevlist>;

export const OpRepImport = struct("OP_REP_IMPORT", {
  version: constant(u16be, VERSION),
  code: constant(u16be, OpCode.RepImport),
  reply: tagged("reply", "status", u32be, { [OpStatus.Ok]: { device: UsbipDevice }, ...refusals }),
});
export type OpRepImport = Infer<typeof OpRepImport>;

const DEVLIST_HEADER_BYTES = OP_HEADER_BYTES + 4;
const DEVICE_BYTES = 312;
const INTERFACE_BYTES = 4;

/** How many bytes a reply has at least, as far as those that are there tell: what it says is right once that many are there. */
export function opReplyBytes(received: Uint8Array): number {
  const from = new Reader(received);
  if (from.remaining < OP_HEADER_BYTES) return OP_HEADER_BYTES;
  const { code, status } = OpHeader.read(from);
  if (status !== OpStatus.Ok) return OP_HEADER_BYTES;
  if (code === OpCode.RepImport) return OP_HEADER_BYTES + DEVICE_BYTES;
  if (received.byteLength < DEVLIST_HEADER_BYTES) return DEVLIST_HEADER_BYTES;
  const devices = upTo(MAX_DEVICES).read(from);
  let size = DEVLIST_HEADER_BYTES;
  for (let i = 0; i < devices; i++) {
    size += DEVICE_BYTES;
    if (received.byteLength < size) return size;
    const interfaces = UsbipDevice.read(from).bNumInterfaces * INTERFACE_BYTES;
    size += interfaces;
    if (received.byteLength < size) return size;
    from.bytes(interfaces);
  }
  return size;
}

// ---- transfers: requests from the host, answers to it

export const UrbCommand = { Submit: 1, Unlink: 2, SubmitAnswer: 3, UnlinkAnswer: 4 } as const;
export const Direction = { Out: 0, In: 1 } as const;
/** Of transfer_flags: what a device's end must heed (Linux, include/linux/usb.h). */
export const UrbFlag = { ShortNotOk: 0x0001, ZeroPacket: 0x0040 } as const;
/** Negative errno of Linux, as status. */
export const UrbStatus = {
  Ok: 0,
  NotFound: -2,
  Invalid: -22,
  Stall: -32,
  Unlinked: -104,
  Shutdown: -108,
  Short: -121,
} as const;

/** All four headers have this size. */
export const URB_HEADER_BYTES = 48;
/** number_of_packets of a transfer that is not isochronous; Linux sends 0. */
export const NO_PACKETS = 0xffff_ffff;

const basic = {
  seqnum: u32be,
  /** bus << 16 | device. */
  devid: u32be,
  direction: oneOf(u32be, Object.values(Direction)),
  ep: upTo(15),
} as const;

/** From the host. There are no isochronous transfers. */
export const UrbRequest = tagged("usbip_header", "command", u32be, {
  [UrbCommand.Submit]: {
    ...basic,
    transferFlags: u32be,
    transferBufferLength: upTo(MAX_TRANSFER_BYTES),
    startFrame: u32be,
    numberOfPackets: oneOf(u32be, [0, NO_PACKETS]),
    interval: u32be,
    setup: SetupPacket,
  },
  [UrbCommand.Unlink]: { ...basic, unlinkSeqnum: u32be, padding: zeros(24) },
});
export type UrbRequest = Infer<typeof UrbRequest>;
export type SubmitRequest = Extract<UrbRequest, { readonly command: typeof UrbCommand.Submit }>;

/** To the host, where devid, direction and ep mean nothing. */
export const UrbAnswer = tagged("usbip_header", "command", u32be, {
  [UrbCommand.SubmitAnswer]: {
    ...basic,
    status: i32be,
    actualLength: upTo(MAX_TRANSFER_BYTES),
    startFrame: u32be,
    numberOfPackets: oneOf(u32be, [0, NO_PACKETS]),
    errorCount: u32be,
    padding: fixed(8),
  },
  [UrbCommand.UnlinkAnswer]: { ...basic, status: i32be, padding: fixed(24) },
});
export type UrbAnswer = Infer<typeof UrbAnswer>;

const NOWHERE = { devid: 0, direction: Direction.Out, ep: 0 } as const;

export const submitAnswer = (seqnum: number, status: number, actualLength: number): UrbAnswer => ({
  command: UrbCommand.SubmitAnswer,
  seqnum,
  ...NOWHERE,
  status,
  actualLength,
  startFrame: 0,
  numberOfPackets: NO_PACKETS,
  errorCount: 0,
  padding: new Uint8Array(8),
});

export const unlinkAnswer = (seqnum: number, status: number): UrbAnswer => ({
  command: UrbCommand.UnlinkAnswer,
  seqnum,
  ...NOWHERE,
  status,
  padding: new Uint8Array(24),
});
