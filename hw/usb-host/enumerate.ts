import { CodecError, decode } from "../../shared/bytes/index.ts";
import {
  ConfigurationDescriptor,
  DescriptorType,
  DeviceDescriptor,
  LanguagesDescriptor,
  Recipient,
  Request,
  RequestType,
  type SetupPacket,
  StringDescriptor,
  UsbConfiguration,
  type UsbDevice,
} from "../../shared/usb/index.ts";
import { type BulkEndpoints, bulkEndpoints, eemInterface } from "./eem-interface.ts";

/** What a host knows of a device that it has configured as an Ethernet interface. */
export interface Enumerated extends BulkEndpoints {
  readonly idVendor: number;
  readonly idProduct: number;
  readonly manufacturer: string | undefined;
  readonly product: string | undefined;
  readonly serial: string | undefined;
}

const NO_DATA = new Uint8Array(0);
const HOST_ADDRESS_FOR_DEVICE = 5;
const STRING_BUFFER_BYTES = 255;

/** Control requests as a Linux host makes them. Error with a sentence when the device refuses one that it must answer. */
class Requests {
  readonly #device: UsbDevice;

  constructor(device: UsbDevice) {
    this.#device = device;
  }

  optional(setup: SetupPacket): Uint8Array | undefined {
    const answer = this.#device.control(setup, NO_DATA);
    if (answer === "stall") return undefined;
    if (answer.byteLength > setup.wLength) {
      throw new Error(`the device answered ${answer.byteLength} bytes where ${setup.wLength} were asked for`);
    }
    return answer;
  }

  required(name: string, setup: SetupPacket): Uint8Array {
    const answer = this.optional(setup);
    if (answer === undefined) throw new Error(`the device refused ${name}`);
    return answer;
  }

  descriptor(type: number, index: number, wIndex: number, wLength: number): SetupPacket {
    return {
      bmRequestType: RequestType.In,
      bRequest: Request.GetDescriptor,
      wValue: (type << 8) | index,
      wIndex,
      wLength,
    };
  }

  set(recipient: number, bRequest: number, wValue: number, wIndex = 0): SetupPacket {
    return { bmRequestType: recipient, bRequest, wValue, wIndex, wLength: 0 };
  }
}

/**
 * Brings a device that was just plugged in to the configured state, in the order in which Linux does: the descriptor at
 * address 0, a second reset, an address, descriptors, strings, configuration, and what cdc_eem asks when it binds.
 */
export function enumerate(device: UsbDevice): Enumerated {
  try {
    return enumerateWith(device, new Requests(device));
  } catch (error) {
    if (error instanceof CodecError) throw new Error("the device sent a malformed descriptor", { cause: error });
    throw error;
  }
}

function enumerateWith(device: UsbDevice, requests: Requests): Enumerated {
  device.busReset();
  requests.required("its device descriptor", requests.descriptor(DescriptorType.Device, 0, 0, 64));
  device.busReset();
  requests.required("SET_ADDRESS", requests.set(Recipient.Device, Request.SetAddress, HOST_ADDRESS_FOR_DEVICE));
  const about = decode(
    DeviceDescriptor,
    requests.required("its device descriptor", requests.descriptor(DescriptorType.Device, 0, 0, 18)),
  );
  requests.optional(requests.descriptor(DescriptorType.DeviceQualifier, 0, 0, 10)); // high-speed hubs ask; a stall is fine
  const head = requests.required("its configuration", requests.descriptor(DescriptorType.Configuration, 0, 0, 9));
  const { wTotalLength } = decode(ConfigurationDescriptor, head);
  const all = requests.required(
    "its configuration",
    requests.descriptor(DescriptorType.Configuration, 0, 0, wTotalLength),
  );
  const configuration = decode(UsbConfiguration, all);
  const text = stringsOf(requests);
  const [product, manufacturer, serial] = [about.iProduct, about.iManufacturer, about.iSerialNumber].map(text);
  const { bConfigurationValue } = configuration.descriptor;
  requests.required("SET_CONFIGURATION", requests.set(Recipient.Device, Request.SetConfiguration, bConfigurationValue));
  const one = eemInterface(configuration);
  const { bInterfaceNumber, bAlternateSetting } = one.descriptor;
  requests.required(
    "SET_INTERFACE",
    requests.set(Recipient.Interface, Request.SetInterface, bAlternateSetting, bInterfaceNumber),
  );
  const { idVendor, idProduct } = about;
  return { idVendor, idProduct, manufacturer, product, serial, ...bulkEndpoints(one) };
}

function stringsOf(requests: Requests): (index: number) => string | undefined {
  const read = (index: number, wIndex: number) =>
    requests.optional(requests.descriptor(DescriptorType.String, index, wIndex, STRING_BUFFER_BYTES));
  const languages = read(0, 0);
  const language = languages === undefined ? undefined : decode(LanguagesDescriptor, languages)[0];
  return (index) => {
    const bytes = index === 0 || language === undefined ? undefined : read(index, language);
    return bytes === undefined ? undefined : decode(StringDescriptor, bytes);
  };
}

/** CLEAR_FEATURE(ENDPOINT_HALT), as a driver does after a stall; false when the device refused. */
export function clearHalt(device: UsbDevice, endpoint: number): boolean {
  const setup = {
    bmRequestType: Recipient.Endpoint,
    bRequest: Request.ClearFeature,
    wValue: 0,
    wIndex: endpoint,
    wLength: 0,
  };
  return device.control(setup, NO_DATA) !== "stall";
}
