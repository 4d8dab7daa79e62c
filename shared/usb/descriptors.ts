import {
  type Codec,
  constant,
  encode,
  flags,
  type Infer,
  inField,
  oneOf,
  type Reader,
  struct,
  u8,
  u16le,
} from "../bytes/index.ts";
import { DescriptorType } from "./setup.ts";

/** Table 9-8. */
export const DeviceDescriptor = struct("device descriptor", {
  bLength: constant(u8, 18),
  bDescriptorType: constant(u8, DescriptorType.Device),
  bcdUSB: u16le,
  bDeviceClass: u8,
  bDeviceSubClass: u8,
  bDeviceProtocol: u8,
  bMaxPacketSize0: oneOf(u8, [8, 16, 32, 64]),
  idVendor: u16le,
  idProduct: u16le,
  bcdDevice: u16le,
  iManufacturer: u8,
  iProduct: u8,
  iSerialNumber: u8,
  bNumConfigurations: u8,
});
export type DeviceDescriptor = Infer<typeof DeviceDescriptor>;

/** bmAttributes of a configuration (table 9-10): bit 7 is always set, bits 4..0 never. */
export const ConfigurationAttribute = { Always: 0x80, SelfPowered: 0x40, RemoteWakeup: 0x20 } as const;

/** Table 9-10. */
export const ConfigurationDescriptor = struct("configuration descriptor", {
  bLength: constant(u8, 9),
  bDescriptorType: constant(u8, DescriptorType.Configuration),
  wTotalLength: u16le,
  bNumInterfaces: u8,
  bConfigurationValue: u8,
  iConfiguration: u8,
  bmAttributes: flags(u8, 0xe0),
  /** In units of 2 mA. */
  bMaxPower: u8,
});
export type ConfigurationDescriptor = Infer<typeof ConfigurationDescriptor>;

/** Table 9-12. */
const InterfaceDescriptor = struct("interface descriptor", {
  bLength: constant(u8, 9),
  bDescriptorType: constant(u8, DescriptorType.Interface),
  bInterfaceNumber: u8,
  bAlternateSetting: u8,
  bNumEndpoints: u8,
  bInterfaceClass: u8,
  bInterfaceSubClass: u8,
  bInterfaceProtocol: u8,
  iInterface: u8,
});
type InterfaceDescriptor = Infer<typeof InterfaceDescriptor>;

/** Table 9-13. */
export const EndpointDescriptor = struct("endpoint descriptor", {
  bLength: constant(u8, 7),
  bDescriptorType: constant(u8, DescriptorType.Endpoint),
  /** Bit 7 set: IN. */
  bEndpointAddress: flags(u8, 0x8f),
  bmAttributes: u8,
  wMaxPacketSize: u16le,
  bInterval: u8,
});
export type EndpointDescriptor = Infer<typeof EndpointDescriptor>;

/** Transfer type in bmAttributes of an endpoint. */
export const TRANSFER_BULK = 2;

/** An interface and its endpoints; no class-specific descriptors, EEM has none (CDC-EEM 1.0, 4). */
export interface UsbInterface {
  readonly descriptor: InterfaceDescriptor;
  readonly endpoints: readonly EndpointDescriptor[];
}

/** What GET_DESCRIPTOR(CONFIGURATION) gives: the configuration and all that is in it. */
export interface UsbConfiguration {
  readonly descriptor: ConfigurationDescriptor;
  readonly interfaces: readonly UsbInterface[];
}

function readInterface(from: Reader): UsbInterface {
  const descriptor = InterfaceDescriptor.read(from);
  const endpoints: EndpointDescriptor[] = [];
  for (let i = 0; i < descriptor.bNumEndpoints; i++)
    endpoints.push(inField(`[${i}]`, () => EndpointDescriptor.read(from)));
  return { descriptor, endpoints };
}

function readConfiguration(from: Reader): UsbConfiguration {
  const before = from.remaining;
  const descriptor = ConfigurationDescriptor.read(from);
  const left = descriptor.wTotalLength - (before - from.remaining);
  if (left < 0) inField("wTotalLength", () => from.fail(`${descriptor.wTotalLength}`));
  const body = from.within(left);
  const interfaces: UsbInterface[] = [];
  while (body.remaining > 0) interfaces.push(inField(`interfaces[${interfaces.length}]`, () => readInterface(body)));
  const numbers = new Set(interfaces.map((one) => one.descriptor.bInterfaceNumber));
  if (numbers.size !== descriptor.bNumInterfaces) inField("bNumInterfaces", () => from.fail(`${numbers.size} follow`));
  return { descriptor, interfaces };
}

/** The tree, strictly: no descriptors but interfaces and their endpoints. Writing takes the counts and the length from the tree. */
export const UsbConfiguration: Codec<UsbConfiguration> = {
  read: (from) => inField("configuration", () => readConfiguration(from)),
  write(to, { descriptor, interfaces }) {
    const bodies = interfaces.map((one) => {
      const head = encode(InterfaceDescriptor, { ...one.descriptor, bNumEndpoints: one.endpoints.length });
      return [head, ...one.endpoints.map((endpoint) => encode(EndpointDescriptor, endpoint))];
    });
    const parts = bodies.flat();
    const wTotalLength = parts.reduce<number>((sum, part) => sum + part.byteLength, descriptor.bLength);
    const bNumInterfaces = new Set(interfaces.map((one) => one.descriptor.bInterfaceNumber)).size;
    ConfigurationDescriptor.write(to, { ...descriptor, wTotalLength, bNumInterfaces });
    for (const part of parts) to.bytes(part);
  },
};

const STRING_HEADER_BYTES = 2;
const MAX_STRING_UNITS = 126;

/** bLength counts itself and bDescriptorType; what follows are UTF-16LE units, or language ids. */
const StringUnits: Codec<readonly number[]> = {
  read(from) {
    const bLength = inField("bLength", () => from.u8());
    const unitBytes = bLength - STRING_HEADER_BYTES;
    if (unitBytes < 0 || unitBytes % 2 !== 0) inField("bLength", () => from.fail(`${bLength}`));
    inField("bDescriptorType", () => constant(u8, DescriptorType.String).read(from));
    const body = inField("bString", () => from.within(unitBytes));
    return Array.from({ length: unitBytes / 2 }, () => body.u16le());
  },
  write(to, units) {
    if (units.length > MAX_STRING_UNITS) throw new RangeError(`a USB string of ${units.length} units`);
    to.u8(STRING_HEADER_BYTES + 2 * units.length).u8(DescriptorType.String);
    for (const unit of units) to.u16le(unit);
  },
};

/** Table 9-15: the languages, at string index 0. */
export const LanguagesDescriptor: Codec<readonly number[]> = {
  read: (from) => inField("languages descriptor", () => StringUnits.read(from)),
  write: StringUnits.write,
};

/** Table 9-16. At most 126 UTF-16 units are written. */
export const StringDescriptor: Codec<string> = {
  read: (from) => inField("string descriptor", () => String.fromCharCode(...StringUnits.read(from))),
  write: (to, text) =>
    StringUnits.write(
      to,
      Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)),
    ),
};
