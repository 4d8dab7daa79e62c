/** What interface_info, ep_info and device_connect say of a device. */
import type { UsbDescriptors } from "../../../shared/usb/index.ts";
import {
  type DeviceConnect,
  ENDPOINTS,
  type EpInfo,
  type InterfaceInfo,
  isIn,
  MAX_INTERFACES,
  RedirEndpointType,
  RedirSpeed,
} from "./bodies.ts";

/** bmAttributes, USB 2.0, table 9-13. Its transfer types have the numbers of the protocol's. */
const TRANSFER_TYPE = 0x03;
const IN_TABLE = ENDPOINTS / 2;

export function deviceConnectOf({ device }: UsbDescriptors): DeviceConnect {
  return {
    speed: RedirSpeed.Full,
    deviceClass: device.bDeviceClass,
    deviceSubclass: device.bDeviceSubClass,
    deviceProtocol: device.bDeviceProtocol,
    vendorId: device.idVendor,
    productId: device.idProduct,
    deviceVersion: device.bcdDevice,
  };
}

/** Without a configuration there are no interfaces. */
export function interfaceInfoOf({ configuration }: UsbDescriptors, configured: boolean): InterfaceInfo {
  const interfaces = configured ? configuration.interfaces.slice(0, MAX_INTERFACES) : [];
  const column = (pick: (one: (typeof interfaces)[number]["descriptor"]) => number) => {
    const bytes = new Uint8Array(MAX_INTERFACES);
    bytes.set(interfaces.map(({ descriptor }) => pick(descriptor)));
    return bytes;
  };
  return {
    interfaceCount: interfaces.length,
    interface: column((one) => one.bInterfaceNumber),
    interfaceClass: column((one) => one.bInterfaceClass),
    interfaceSubclass: column((one) => one.bInterfaceSubClass),
    interfaceProtocol: column((one) => one.bInterfaceProtocol),
  };
}

export function epInfoOf({ configuration, device }: UsbDescriptors, configured: boolean): EpInfo {
  const type = new Uint8Array(ENDPOINTS).fill(RedirEndpointType.Invalid);
  const interval = new Uint8Array(ENDPOINTS);
  const ofInterface = new Uint8Array(ENDPOINTS);
  const maxPacketSize = new Array<number>(ENDPOINTS).fill(0);
  for (const control of [0, IN_TABLE]) {
    type[control] = RedirEndpointType.Control;
    maxPacketSize[control] = device.bMaxPacketSize0;
  }
  for (const { descriptor, endpoints } of configured ? configuration.interfaces : []) {
    for (const { bEndpointAddress, bmAttributes, bInterval, wMaxPacketSize } of endpoints) {
      const index = (isIn(bEndpointAddress) ? IN_TABLE : 0) + (bEndpointAddress & 0x0f);
      type[index] = bmAttributes & TRANSFER_TYPE;
      interval[index] = bInterval;
      ofInterface[index] = descriptor.bInterfaceNumber;
      maxPacketSize[index] = wMaxPacketSize;
    }
  }
  return { type, interval, interface: ofInterface, maxPacketSize };
}
