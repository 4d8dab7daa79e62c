/** What any USB device of full speed with one configuration must do: USB 2.0, chapter 9, section by section, seen from its host. */
import assert from "node:assert/strict";
import { decode, toHex } from "../../shared/bytes/index.ts";
import {
  DescriptorType,
  DeviceDescriptor,
  Feature,
  LANGUAGE_ID,
  LanguagesDescriptor,
  Recipient,
  Request,
  RequestType,
  StringDescriptor,
  UsbConfiguration,
  type UsbDevice,
} from "../../shared/usb/index.ts";

const NO_DATA = new Uint8Array(0);
const IN = RequestType.In;
const STATES = ["default", "address", "configured"] as const;
type State = (typeof STATES)[number];

const say = (request: readonly unknown[]) => request.map((part) => Number(part).toString(16)).join(" ");

export class Chapter9Host {
  readonly usb: UsbDevice;

  constructor(usb: UsbDevice) {
    this.usb = usb;
    usb.busReset();
  }

  ask(
    bmRequestType: number,
    bRequest: number,
    wValue = 0,
    wIndex = 0,
    wLength = 0,
    out = NO_DATA,
  ): Uint8Array | "stall" {
    const answer = this.usb.control({ bmRequestType, bRequest, wValue, wIndex, wLength }, out);
    if (answer !== "stall")
      assert.ok(answer.byteLength <= wLength || (bmRequestType & IN) === 0, "more than asked for");
    return answer;
  }

  done(...request: Parameters<Chapter9Host["ask"]>): void {
    assert.deepEqual(this.ask(...request), NO_DATA, `refused: ${say(request)}`);
  }

  /** A request error, which the next setup packet ends (8.5.3.4). */
  stalls(...request: Parameters<Chapter9Host["ask"]>): void {
    assert.equal(this.ask(...request), "stall", `done: ${say(request)}`);
    assert.equal(this.device.byteLength, 18);
  }

  gives(bytes: readonly number[], ...request: Parameters<Chapter9Host["ask"]>): void {
    assert.deepEqual(this.ask(...request), Uint8Array.from(bytes));
  }

  descriptor(type: number, index = 0, wIndex = 0, wLength = 0xffff): Uint8Array {
    const answer = this.ask(IN, Request.GetDescriptor, (type << 8) | index, wIndex, wLength);
    assert.ok(answer !== "stall", `descriptor ${type}/${index}`);
    return answer;
  }

  get device(): Uint8Array {
    return this.descriptor(DescriptorType.Device);
  }

  get configuration(): UsbConfiguration {
    return decode(UsbConfiguration, this.descriptor(DescriptorType.Configuration));
  }

  get endpoints(): readonly number[] {
    return this.configuration.interfaces.flatMap((one) =>
      one.endpoints.map(({ bEndpointAddress }) => bEndpointAddress),
    );
  }

  bring(state: State): this {
    this.usb.busReset();
    if (state !== "default") this.done(0, Request.SetAddress, 5);
    if (state === "configured") this.configure();
    return this;
  }

  configure(): void {
    this.done(0, Request.SetConfiguration, this.configuration.descriptor.bConfigurationValue);
  }

  halt(endpoint: number): void {
    this.done(Recipient.Endpoint, Request.SetFeature, Feature.EndpointHalt, endpoint);
  }

  isHalted(endpoint: number): boolean {
    const status = this.ask(IN | Recipient.Endpoint, Request.GetStatus, 0, endpoint, 2);
    assert.ok(status !== "stall");
    return status[0] === 1;
  }
}

export function chapter9(name: string, make: () => UsbDevice): void {
  describe(`USB 2.0, chapter 9: ${name}`, () => {
    const host = (state: State = "default") => new Chapter9Host(make()).bring(state);
    const inState = (state: State) => `in the ${state} state`;

    describe("descriptors (9.4.3, 9.6)", () => {
      for (const state of STATES) {
        it(`are the same ${inState(state)}, before and after suspension`, () => {
          const one = host(state);
          const all = () => [one.device, one.descriptor(DescriptorType.Configuration), one.descriptor(DescriptorType.String)].map(toHex); // biome-ignore format: one line
          const before = all();
          one.usb.suspend();
          one.usb.resume();
          assert.deepEqual(all(), before);
          assert.deepEqual(before, host("default").bring(state) && all());
        });
      }

      it("say what they are and how long: device (table 9-8)", () => {
        const one = host();
        const about = decode(DeviceDescriptor, one.device);
        assert.ok(about.bcdUSB >= 0x0110 && about.bcdUSB <= 0x0200);
        assert.equal(about.bNumConfigurations, 1);
        // With class 0 each interface says its own, and subclass and protocol are 0.
        if (about.bDeviceClass === 0) assert.deepEqual([about.bDeviceSubClass, about.bDeviceProtocol], [0, 0]);
      });

      it("say what they are and how long: configuration, interfaces, endpoints (tables 9-10, 9-12, 9-13)", () => {
        const one = host();
        const bytes = one.descriptor(DescriptorType.Configuration);
        const { descriptor, interfaces } = one.configuration;
        assert.equal(descriptor.wTotalLength, bytes.byteLength);
        assert.ok(descriptor.bConfigurationValue > 0, "0 means none");
        assert.ok((descriptor.bmAttributes & 0x80) !== 0 && (descriptor.bmAttributes & 0x1f) === 0);
        assert.ok(descriptor.bMaxPower <= 250, "500 mA");
        assert.deepEqual(interfaces.map((at) => at.descriptor.bInterfaceNumber), interfaces.map((_, i) => i)); // biome-ignore format: one line
        const addresses = one.endpoints;
        assert.equal(new Set(addresses).size, addresses.length);
        for (const { bEndpointAddress, bmAttributes, wMaxPacketSize } of interfaces.flatMap((at) => at.endpoints)) {
          assert.ok((bEndpointAddress & 0x70) === 0 && (bEndpointAddress & 0x0f) !== 0);
          // Bulk at full speed (5.8.3).
          if ((bmAttributes & 3) === 2) assert.ok([8, 16, 32, 64].includes(wMaxPacketSize));
        }
      });

      it("say what they are and how long: strings, in the languages of string 0 (9.6.7)", () => {
        const one = host();
        const languages = decode(LanguagesDescriptor, one.descriptor(DescriptorType.String));
        assert.deepEqual(languages, [LANGUAGE_ID]);
        const { iManufacturer, iProduct, iSerialNumber } = decode(DeviceDescriptor, one.device);
        const { descriptor, interfaces } = one.configuration;
        const indices = [iManufacturer, iProduct, iSerialNumber, descriptor.iConfiguration, ...interfaces.map((at) => at.descriptor.iInterface)]; // biome-ignore format: one line
        for (const index of indices.filter((at) => at !== 0)) {
          const text = decode(StringDescriptor, one.descriptor(DescriptorType.String, index, LANGUAGE_ID));
          assert.ok(text.length > 0);
          one.stalls(IN, Request.GetDescriptor, (DescriptorType.String << 8) | index, LANGUAGE_ID + 1, 255);
        }
        one.stalls(
          IN,
          Request.GetDescriptor,
          (DescriptorType.String << 8) | (Math.max(...indices) + 1),
          LANGUAGE_ID,
          255,
        );
      });

      it("are cut where the host wants less, and short where it wants more", () => {
        const one = host();
        for (const [type, index, wIndex] of [
          [1, 0, 0],
          [2, 0, 0],
          [3, 0, 0],
          [3, 1, LANGUAGE_ID],
        ] as const) {
          // biome-ignore format: one line
          const whole = one.descriptor(type, index, wIndex);
          for (const wLength of [
            0,
            1,
            2,
            7,
            8,
            9,
            whole.byteLength - 1,
            whole.byteLength,
            whole.byteLength + 1,
            0xffff,
          ]) {
            assert.deepEqual(one.descriptor(type, index, wIndex, wLength), whole.slice(0, wLength));
          }
        }
      });

      it("of one speed only: no device qualifier, no other speed (9.6.2, 9.6.4)", () => {
        const one = host();
        for (const type of [DescriptorType.DeviceQualifier, 7]) one.stalls(IN, Request.GetDescriptor, type << 8, 0, 10);
      });

      it("of interfaces and endpoints come with their configuration only (9.4.3)", () => {
        const one = host("configured");
        for (const type of [DescriptorType.Interface, DescriptorType.Endpoint]) one.stalls(IN, Request.GetDescriptor, type << 8, 0, 9); // biome-ignore format: one line
        one.stalls(IN, Request.GetDescriptor, (DescriptorType.Configuration << 8) | 1, 0, 9);
        one.stalls(IN, Request.GetDescriptor, (DescriptorType.Device << 8) | 1, 0, 18);
      });

      it("cannot be set (9.4.8)", () => {
        host("configured").stalls(0, Request.SetDescriptor, DescriptorType.Device << 8, 0, 18, new Uint8Array(18));
      });
    });

    describe("addresses and configurations (9.1.1, 9.4.2, 9.4.6, 9.4.7)", () => {
      it("follow the host's orders from state to state", () => {
        const one = host("address");
        one.gives([0], IN, Request.GetConfiguration, 0, 0, 1);
        one.done(0, Request.SetAddress, 9);
        one.configure();
        const { bConfigurationValue } = one.configuration.descriptor;
        one.gives([bConfigurationValue], IN, Request.GetConfiguration, 0, 0, 1);
        one.configure();
        one.done(0, Request.SetConfiguration, 0);
        one.gives([0], IN, Request.GetConfiguration, 0, 0, 1);
        one.done(0, Request.SetAddress, 0);
      });

      it("that are none are refused, and change nothing", () => {
        for (const state of ["address", "configured"] as const) {
          const one = host(state);
          const { bConfigurationValue } = one.configuration.descriptor;
          const present = state === "configured" ? bConfigurationValue : 0;
          one.stalls(0, Request.SetConfiguration, bConfigurationValue + 1);
          one.stalls(0, Request.SetConfiguration, bConfigurationValue | 0x0100);
          one.gives([present], IN, Request.GetConfiguration, 0, 0, 1);
        }
        host().stalls(0, Request.SetAddress, 128);
      });

      it("end with a bus reset (9.1.1.3)", () => {
        const one = host("configured");
        one.usb.busReset();
        one.gives([0], IN, Request.GetConfiguration, 0, 0, 1);
        one.stalls(IN | Recipient.Interface, Request.GetInterface, 0, 0, 1);
        for (const endpoint of one.endpoints) one.stalls(IN | Recipient.Endpoint, Request.GetStatus, 0, endpoint, 2);
      });

      it("outlast suspension, which a bus reset ends, too (9.1.1.6)", () => {
        const one = host("configured");
        one.usb.suspend();
        one.usb.resume();
        assert.notDeepEqual(one.ask(IN, Request.GetConfiguration, 0, 0, 1), Uint8Array.of(0));
        one.usb.suspend();
        one.usb.suspend();
        one.usb.busReset();
        one.configure();
        const ends = one.endpoints.filter((endpoint) => (endpoint & IN) !== 0);
        for (const endpoint of ends) assert.equal(one.usb.bulkIn(endpoint, 64), "nak");
      });
    });

    describe("status (9.4.5)", () => {
      it("has two bytes: device, in each state", () => {
        for (const state of STATES) {
          const one = host(state);
          const selfPowered = (one.configuration.descriptor.bmAttributes & 0x40) === 0 ? 0 : 1;
          one.gives([selfPowered, 0], IN, Request.GetStatus, 0, 0, 2);
        }
      });

      it("has two bytes: interface and endpoints when configured, endpoint 0 with an address", () => {
        const one = host("configured");
        one.gives([0, 0], IN | Recipient.Interface, Request.GetStatus, 0, 0, 2);
        for (const endpoint of [0, 0x80, ...one.endpoints]) one.gives([0, 0], IN | Recipient.Endpoint, Request.GetStatus, 0, endpoint, 2); // biome-ignore format: one line
        const addressed = host("address");
        addressed.gives([0, 0], IN | Recipient.Endpoint, Request.GetStatus, 0, 0, 2);
        addressed.stalls(IN | Recipient.Interface, Request.GetStatus, 0, 0, 2);
        for (const endpoint of one.endpoints) addressed.stalls(IN | Recipient.Endpoint, Request.GetStatus, 0, endpoint, 2); // biome-ignore format: one line
      });

      it("is refused of what is not there", () => {
        const one = host("configured");
        const free =
          [...Array(15).keys()].map((i) => i + 1).find((n) => !one.endpoints.some((at) => (at & 0x0f) === n)) ?? 0;
        for (const endpoint of [free, free | IN, 0x0100, 0x0181, 0x8001]) one.stalls(IN | Recipient.Endpoint, Request.GetStatus, 0, endpoint, 2); // biome-ignore format: one line
        for (const number of [one.configuration.interfaces.length, 0xff, 0x0100]) one.stalls(IN | Recipient.Interface, Request.GetStatus, 0, number, 2); // biome-ignore format: one line
        one.stalls(IN | 3, Request.GetStatus, 0, 0, 2);
        one.stalls(IN, Request.GetStatus, 0, 1, 2);
      });
    });

    describe("features (9.4.1, 9.4.9)", () => {
      it("halt each endpoint by itself, and end that", () => {
        const one = host("configured");
        for (const endpoint of one.endpoints) {
          const others = one.endpoints.filter((other) => other !== endpoint);
          one.halt(endpoint);
          one.halt(endpoint);
          assert.ok(one.isHalted(endpoint) && !others.some((other) => one.isHalted(other)));
          const result = (endpoint & IN) !== 0 ? one.usb.bulkIn(endpoint, 64) : one.usb.bulkOut(endpoint, NO_DATA);
          assert.equal(result, "stall");
          one.done(Recipient.Endpoint, Request.ClearFeature, Feature.EndpointHalt, endpoint);
          one.done(Recipient.Endpoint, Request.ClearFeature, Feature.EndpointHalt, endpoint);
          assert.ok(!one.isHalted(endpoint));
          const after = (endpoint & IN) !== 0 ? one.usb.bulkIn(endpoint, 64) : one.usb.bulkOut(endpoint, NO_DATA);
          assert.notEqual(after, "stall");
        }
      });

      it("that are halts end with SET_CONFIGURATION, SET_INTERFACE and reset (9.1.1.5, 9.4.5)", () => {
        const ends: readonly ((one: Chapter9Host) => void)[] = [
          (one) => one.configure(),
          (one) => one.done(Recipient.Interface, Request.SetInterface, 0, 0),
          (one) => {
            one.usb.busReset();
            one.configure();
          },
        ];
        for (const end of ends) {
          const one = host("configured");
          for (const endpoint of one.endpoints) one.halt(endpoint);
          end(one);
          for (const endpoint of one.endpoints) assert.ok(!one.isHalted(endpoint));
        }
      });

      for (const request of [Request.SetFeature, Request.ClearFeature]) {
        it(`are refused where they do not exist: request ${request}`, () => {
          const one = host("configured");
          const canWake = (one.configuration.descriptor.bmAttributes & 0x20) !== 0;
          if (!canWake) one.stalls(0, request, Feature.DeviceRemoteWakeup);
          one.stalls(0, request, Feature.TestMode, 0x0100); // high speed only
          one.stalls(0, request, 7);
          one.stalls(Recipient.Interface, request, 0, 0);
          one.stalls(Recipient.Endpoint, request, Feature.EndpointHalt, 0x0f);
          const addressed = host("address");
          for (const endpoint of one.endpoints) {
            one.stalls(Recipient.Endpoint, request, 1, endpoint);
            addressed.stalls(Recipient.Endpoint, request, Feature.EndpointHalt, endpoint);
          }
        });
      }
    });

    describe("interfaces (9.4.4, 9.4.10)", () => {
      it("have the setting 0 when configured, and no other", () => {
        const one = host("configured");
        for (const { descriptor } of one.configuration.interfaces) {
          const number = descriptor.bInterfaceNumber;
          one.gives([0], IN | Recipient.Interface, Request.GetInterface, 0, number, 1);
          one.done(Recipient.Interface, Request.SetInterface, 0, number);
          one.stalls(Recipient.Interface, Request.SetInterface, 1, number);
        }
        const none = one.configuration.interfaces.length;
        one.stalls(IN | Recipient.Interface, Request.GetInterface, 0, none, 1);
        one.stalls(Recipient.Interface, Request.SetInterface, 0, none);
      });

      it("are not there before", () => {
        for (const state of ["default", "address"] as const) {
          const one = host(state);
          one.stalls(IN | Recipient.Interface, Request.GetInterface, 0, 0, 1);
          one.stalls(Recipient.Interface, Request.SetInterface, 0, 0);
          for (const endpoint of one.endpoints) {
            const result = (endpoint & IN) !== 0 ? one.usb.bulkIn(endpoint, 64) : one.usb.bulkOut(endpoint, NO_DATA);
            assert.equal(result, "stall");
          }
        }
      });
    });

    describe("request errors (9.2.7)", () => {
      it("answer what is not known: class, vendor and reserved requests to every recipient, in every state", () => {
        for (const state of STATES) {
          const one = host(state);
          for (const type of [0x20, 0x40, 0x60]) {
            for (const recipient of [0, 1, 2, 3, 31]) {
              one.stalls(type | recipient, 1, 0, 0);
              one.stalls(IN | type | recipient, 0, 0, 0, 8);
            }
          }
          for (const request of [2, 4, 13, 48, 255]) {
            one.stalls(0, request);
            one.stalls(IN, request, 0, 0, 8);
          }
        }
      });

      it("answer a known request in the wrong direction, or to the wrong recipient", () => {
        const one = host("configured");
        for (const request of [
          Request.GetDescriptor,
          Request.GetStatus,
          Request.GetConfiguration,
          Request.GetInterface,
        ]) {
          one.stalls(0, request, 0x0100, 0, 2, new Uint8Array(2));
        }
        for (const request of [Request.SetAddress, Request.SetConfiguration, Request.SetInterface]) one.stalls(IN, request, 1, 0, 1); // biome-ignore format: one line
        one.stalls(Recipient.Interface, Request.SetConfiguration, 1);
        one.stalls(Recipient.Endpoint, Request.SetAddress, 1);
        one.stalls(IN | Recipient.Endpoint, Request.GetConfiguration, 0, 0, 1);
        one.stalls(IN | Recipient.Endpoint, Request.SynchFrame, 0, one.endpoints[0], 2); // no isochronous endpoints (9.4.11)
      });

      it("answer a data stage where none belongs", () => {
        const one = host("address");
        one.stalls(0, Request.SetConfiguration, 1, 0, 1, new Uint8Array(1));
        one.stalls(0, Request.SetAddress, 5, 0, 1, new Uint8Array(1));
      });
    });
  });
}
