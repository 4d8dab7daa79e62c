import {
  ConfigurationAttribute,
  DescriptorType,
  type EndpointDescriptor,
  TRANSFER_BULK,
  type UsbDescriptors,
} from "../../shared/usb/index.ts";

export const EEM_IN = 0x81;
export const EEM_OUT = 0x01;
export const USB_PACKET_BYTES = 64;
const CONFIGURATION_VALUE = 1;

/** Communications class, Ethernet Emulation Model (CDC-EEM 1.0, 4: subclass 0x0C, protocol 0x07). */
const EEM_CLASS = { bInterfaceClass: 0x02, bInterfaceSubClass: 0x0c, bInterfaceProtocol: 0x07 } as const;

const endpoint = (bEndpointAddress: number): EndpointDescriptor => ({
  bLength: 7,
  bDescriptorType: DescriptorType.Endpoint,
  bEndpointAddress,
  bmAttributes: TRANSFER_BULK,
  wMaxPacketSize: USB_PACKET_BYTES,
  bInterval: 0,
});

/** The stick as its hosts know it: one configuration, one interface, two bulk endpoints, full speed, powered by the bus. */
export function tokenDescriptors(serial: string): UsbDescriptors {
  return {
    speed: "full",
    strings: ["", "Fobnail", "Fobnail", serial, "Virtual Ethernet interface"],
    device: {
      bLength: 18,
      bDescriptorType: DescriptorType.Device,
      bcdUSB: 0x0200,
      bDeviceClass: 0,
      bDeviceSubClass: 0,
      bDeviceProtocol: 0,
      bMaxPacketSize0: 64,
      idVendor: 0x1234,
      idProduct: 0x4321,
      bcdDevice: 0x0100,
      iManufacturer: 1,
      iProduct: 2,
      iSerialNumber: 3,
      bNumConfigurations: 1,
    },
    configuration: {
      descriptor: {
        bLength: 9,
        bDescriptorType: DescriptorType.Configuration,
        wTotalLength: 9 + 9 + 7 + 7,
        bNumInterfaces: 1,
        bConfigurationValue: CONFIGURATION_VALUE,
        iConfiguration: 0,
        bmAttributes: ConfigurationAttribute.Always,
        bMaxPower: 50,
      },
      interfaces: [
        {
          descriptor: {
            bLength: 9,
            bDescriptorType: DescriptorType.Interface,
            bInterfaceNumber: 0,
            bAlternateSetting: 0,
            bNumEndpoints: 2,
            ...EEM_CLASS,
            iInterface: 4,
          },
          endpoints: [endpoint(EEM_IN), endpoint(EEM_OUT)],
        },
      ],
    },
  };
}
