import { encode, Reader } from "../bytes/index.ts";
import {
  ConfigurationAttribute,
  DeviceDescriptor,
  LanguagesDescriptor,
  StringDescriptor,
  UsbConfiguration,
  type UsbInterface,
} from "./descriptors.ts";
import type { UsbDescriptors } from "./device.ts";
import { DescriptorType, Feature, LANGUAGE_ID, Recipient, Request, RequestType, type SetupPacket } from "./setup.ts";

export interface StandardRequestsOptions {
  readonly descriptors: UsbDescriptors;
  /** SET_CONFIGURATION was accepted, also the one that is set already: endpoints begin anew (USB 2.0, 9.1.1.5). 0 is none. */
  onConfiguration(value: number): void;
  /** A halt was set or cleared; clearing one also resets the data toggle. */
  onHalt(endpoint: number, halted: boolean): void;
}

type Answer = Uint8Array | "stall";

const DONE: Answer = new Uint8Array(0);
const MAX_ADDRESS = 127;

/** Chapter 9 of USB 2.0 for a device with one configuration and no alternate settings: endpoint 0's standard requests. */
export class StandardRequests {
  readonly #options: StandardRequestsOptions;
  readonly #descriptors: UsbDescriptors;
  #address = 0;
  #configuration = 0;
  readonly #halted = new Set<number>();

  constructor(options: StandardRequestsOptions) {
    this.#options = options;
    this.#descriptors = options.descriptors;
  }

  /** 0 until the host gave one; some buses never do, because the address is the host controller's matter there. */
  get address(): number {
    return this.#address;
  }

  get configuration(): number {
    return this.#configuration;
  }

  isHalted(endpoint: number): boolean {
    return this.#halted.has(endpoint);
  }

  /** Back to the default state (USB 2.0, 9.1.1.3). */
  reset(): void {
    this.#address = 0;
    this.#configuration = 0;
    this.#halted.clear();
  }

  /** What is not a standard request, or not one for this device and its state, is a request error: stall (9.2.7). */
  handle(setup: SetupPacket): Answer {
    if ((setup.bmRequestType & RequestType.TypeMask) !== RequestType.Standard) return "stall";
    const toHost = (setup.bmRequestType & RequestType.In) !== 0;
    const recipient = setup.bmRequestType & RequestType.RecipientMask;
    if (!toHost) return setup.wLength === 0 ? this.#set(setup, recipient) : "stall";
    const answer = this.#get(setup, recipient);
    if (answer === "stall") return answer;
    return new Reader(answer).bytes(Math.min(answer.byteLength, setup.wLength)).slice();
  }

  #get(setup: SetupPacket, recipient: number): Answer {
    if (setup.bRequest === Request.GetStatus)
      return setup.wValue === 0 ? this.#status(recipient, setup.wIndex) : "stall";
    if (recipient === Recipient.Interface && setup.bRequest === Request.GetInterface) {
      return setup.wValue === 0 && this.#interface(setup.wIndex) !== undefined ? Uint8Array.of(0) : "stall";
    }
    if (recipient !== Recipient.Device) return "stall";
    if (setup.bRequest === Request.GetDescriptor) return this.#descriptor(setup.wValue, setup.wIndex);
    if (setup.bRequest === Request.GetConfiguration && setup.wValue === 0 && setup.wIndex === 0) {
      return Uint8Array.of(this.#configuration);
    }
    return "stall";
  }

  #set(setup: SetupPacket, recipient: number): Answer {
    const { bRequest, wValue, wIndex } = setup;
    if (recipient === Recipient.Device && bRequest === Request.SetAddress) return this.#setAddress(wValue, wIndex);
    if (recipient === Recipient.Device && bRequest === Request.SetConfiguration) return this.#configure(wValue, wIndex);
    if (recipient === Recipient.Interface && bRequest === Request.SetInterface)
      return this.#setInterface(wValue, wIndex);
    if (recipient === Recipient.Endpoint && wValue === Feature.EndpointHalt) {
      if (bRequest === Request.ClearFeature) return this.#clearHalt(wIndex);
      if (bRequest === Request.SetFeature) return this.#setHalt(wIndex);
    }
    // No remote wake-up, no test modes (high speed only), SET_DESCRIPTOR is optional.
    return "stall";
  }

  /** 9.4.3. A full-speed device answers the device qualifier with a request error (9.6.2). */
  #descriptor(wValue: number, wIndex: number): Answer {
    const type = wValue >> 8;
    const index = wValue & 0xff;
    const { device, configuration, strings } = this.#descriptors;
    if (type === DescriptorType.String) {
      if (index === 0) return encode(LanguagesDescriptor, [LANGUAGE_ID]);
      const text = strings[index];
      return text === undefined || wIndex !== LANGUAGE_ID ? "stall" : encode(StringDescriptor, text);
    }
    if (index !== 0 || wIndex !== 0) return "stall";
    if (type === DescriptorType.Device) return encode(DeviceDescriptor, device);
    return type === DescriptorType.Configuration ? encode(UsbConfiguration, configuration) : "stall";
  }

  /** 9.4.5: two bytes. */
  #status(recipient: number, index: number): Answer {
    if (recipient === Recipient.Device) {
      const selfPowered = this.#descriptors.configuration.descriptor.bmAttributes & ConfigurationAttribute.SelfPowered;
      return index === 0 ? Uint8Array.of(selfPowered === 0 ? 0 : 1, 0) : "stall";
    }
    if (recipient === Recipient.Interface) return this.#interface(index) === undefined ? "stall" : Uint8Array.of(0, 0);
    if (recipient === Recipient.Endpoint && this.#hasEndpoint(index)) {
      return Uint8Array.of(this.#halted.has(index) ? 1 : 0, 0);
    }
    return "stall";
  }

  /** 9.4.6. In the configured state its meaning is not specified. */
  #setAddress(address: number, wIndex: number): Answer {
    if (address > MAX_ADDRESS || wIndex !== 0 || this.#configuration !== 0) return "stall";
    this.#address = address;
    return DONE;
  }

  /** 9.4.7. Allowed without an address too: over USB/IP the device never sees SET_ADDRESS. */
  #configure(value: number, wIndex: number): Answer {
    const known = value === 0 || value === this.#descriptors.configuration.descriptor.bConfigurationValue;
    if (!known || wIndex !== 0) return "stall";
    this.#configuration = value;
    this.#halted.clear();
    this.#options.onConfiguration(value);
    return DONE;
  }

  /** 9.4.10. There is only setting 0; usbnet asks for it. Endpoints begin anew (9.1.1.5). */
  #setInterface(setting: number, number: number): Answer {
    const one = setting === 0 ? this.#interface(number) : undefined;
    if (one === undefined) return "stall";
    for (const { bEndpointAddress } of one.endpoints) this.#clearHalt(bEndpointAddress);
    return DONE;
  }

  /** 9.4.1. On endpoint 0 there is nothing to clear. */
  #clearHalt(endpoint: number): Answer {
    if (!this.#hasEndpoint(endpoint)) return "stall";
    if (!isControlEndpoint(endpoint)) {
      this.#halted.delete(endpoint);
      this.#options.onHalt(endpoint, false);
    }
    return DONE;
  }

  /** 9.4.9. Endpoint 0 needs no halt (9.4.5). */
  #setHalt(endpoint: number): Answer {
    if (!this.#hasEndpoint(endpoint) || isControlEndpoint(endpoint)) return "stall";
    this.#halted.add(endpoint);
    this.#options.onHalt(endpoint, true);
    return DONE;
  }

  /** Interfaces exist in the configured state only. */
  #interface(number: number): UsbInterface | undefined {
    if (this.#configuration === 0) return undefined;
    return this.#descriptors.configuration.interfaces.find((one) => one.descriptor.bInterfaceNumber === number);
  }

  #hasEndpoint(address: number): boolean {
    if (isControlEndpoint(address)) return true;
    if (this.#configuration === 0) return false;
    const { interfaces } = this.#descriptors.configuration;
    return interfaces.some((one) => one.endpoints.some((endpoint) => endpoint.bEndpointAddress === address));
  }
}

const isControlEndpoint = (address: number) => address === 0x00 || address === 0x80;
