import assert from "node:assert/strict";
import { decode, encode } from "../../../shared/bytes/index.ts";
import {
  DescriptorType,
  DeviceDescriptor,
  Feature,
  LANGUAGE_ID,
  Request,
  type SetupPacket,
  StandardRequests,
  StringDescriptor,
  UsbConfiguration,
} from "../../../shared/usb/index.ts";
import { EEM_IN, EEM_OUT, tokenDescriptors } from "../../../token/usb/index.ts";
import { seededRandom } from "../../support/random.ts";

const IN_DEVICE = 0x80;
const IN_INTERFACE = 0x81;
const IN_ENDPOINT = 0x82;
const OUT_DEVICE = 0x00;
const OUT_INTERFACE = 0x01;
const OUT_ENDPOINT = 0x02;

function setUp() {
  const events: string[] = [];
  const requests = new StandardRequests({
    descriptors: tokenDescriptors("4711"),
    onConfiguration: (value) => events.push(`configuration ${value}`),
    onHalt: (endpoint, halted) => events.push(`halt ${endpoint.toString(16)} ${halted}`),
  });
  const ask = (bmRequestType: number, bRequest: number, wValue = 0, wIndex = 0, wLength = 0) =>
    requests.handle({ bmRequestType, bRequest, wValue, wIndex, wLength });
  const done = (...args: Parameters<typeof ask>) => assert.deepEqual(ask(...args), new Uint8Array(0));
  const stalls = (...args: Parameters<typeof ask>) => assert.equal(ask(...args), "stall");
  const gives = (bytes: readonly number[], ...args: Parameters<typeof ask>) => {
    assert.deepEqual(ask(...args), Uint8Array.from(bytes));
  };
  return { requests, ask, done, stalls, gives, events };
}

describe("GET_DESCRIPTOR (USB 2.0, 9.4.3)", () => {
  const get = (type: number, index: number, wIndex: number, wLength: number) =>
    [IN_DEVICE, Request.GetDescriptor, (type << 8) | index, wIndex, wLength] as const;

  it("gives device and configuration, cut to wLength and never padded", () => {
    const { ask } = setUp();
    const { device, configuration } = tokenDescriptors("4711");
    for (const [type, whole] of [
      [DescriptorType.Device, encode(DeviceDescriptor, device)],
      [DescriptorType.Configuration, encode(UsbConfiguration, configuration)],
    ] as const) {
      for (const wLength of [0, 1, 8, 9, 17, 18, 31, 32, 64, 255, 0xffff]) {
        assert.deepEqual(ask(...get(type, 0, 0, wLength)), whole.slice(0, wLength));
      }
    }
  });

  it("gives the strings in US English", () => {
    const { ask, gives } = setUp();
    gives([4, 3, 9, 4], ...get(DescriptorType.String, 0, 0, 255));
    const text = (index: number) => {
      const answer = ask(...get(DescriptorType.String, index, LANGUAGE_ID, 255));
      assert.ok(answer !== "stall");
      return decode(StringDescriptor, answer);
    };
    assert.deepEqual([1, 2, 3, 4].map(text), ["Fobnail", "Fobnail", "4711", "Virtual Ethernet interface"]);
  });

  it("stalls on what is not there", () => {
    const { stalls } = setUp();
    stalls(...get(DescriptorType.String, 5, LANGUAGE_ID, 255));
    stalls(...get(DescriptorType.String, 0xee, LANGUAGE_ID, 255));
    stalls(...get(DescriptorType.String, 1, 0x0407, 255));
    stalls(...get(DescriptorType.Device, 1, 0, 18));
    stalls(...get(DescriptorType.Configuration, 1, 0, 18));
    stalls(...get(DescriptorType.DeviceQualifier, 0, 0, 10));
    stalls(...get(7, 0, 0, 18));
    stalls(...get(15, 0, 0, 5));
    stalls(IN_INTERFACE, Request.GetDescriptor, 0x2200, 0, 64);
  });
});

describe("states (USB 2.0, 9.1.1)", () => {
  it("go from default over address to configured and back", () => {
    const { requests, done, gives, events } = setUp();
    done(OUT_DEVICE, Request.SetAddress, 5);
    assert.equal(requests.address, 5);
    gives([0], IN_DEVICE, Request.GetConfiguration, 0, 0, 1);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    gives([1], IN_DEVICE, Request.GetConfiguration, 0, 0, 1);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    done(OUT_DEVICE, Request.SetConfiguration, 0);
    gives([0], IN_DEVICE, Request.GetConfiguration, 0, 0, 1);
    assert.deepEqual(events, ["configuration 1", "configuration 1", "configuration 0"]);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    requests.reset();
    assert.deepEqual([requests.address, requests.configuration], [0, 0]);
  });

  it("refuse wrong addresses and configurations", () => {
    const { done, stalls } = setUp();
    stalls(OUT_DEVICE, Request.SetAddress, 128);
    stalls(OUT_DEVICE, Request.SetAddress, 5, 1);
    stalls(OUT_DEVICE, Request.SetAddress, 5, 0, 1);
    done(OUT_DEVICE, Request.SetAddress, 127);
    done(OUT_DEVICE, Request.SetAddress, 0);
    stalls(OUT_DEVICE, Request.SetConfiguration, 2);
    stalls(OUT_DEVICE, Request.SetConfiguration, 0x0101);
    stalls(OUT_DEVICE, Request.SetConfiguration, 1, 1);
    stalls(OUT_DEVICE, Request.SetConfiguration, 1, 0, 1);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    stalls(OUT_DEVICE, Request.SetAddress, 6);
  });
});

describe("GET_STATUS (USB 2.0, 9.4.5)", () => {
  it("gives two bytes for device, interface and endpoints", () => {
    const { done, gives, stalls } = setUp();
    gives([0, 0], IN_DEVICE, Request.GetStatus, 0, 0, 2);
    gives([0, 0], IN_ENDPOINT, Request.GetStatus, 0, 0, 2);
    stalls(IN_INTERFACE, Request.GetStatus, 0, 0, 2);
    stalls(IN_ENDPOINT, Request.GetStatus, 0, EEM_IN, 2);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    gives([0, 0], IN_INTERFACE, Request.GetStatus, 0, 0, 2);
    gives([0, 0], IN_ENDPOINT, Request.GetStatus, 0, EEM_IN, 2);
    gives([0], IN_ENDPOINT, Request.GetStatus, 0, EEM_OUT, 1);
    stalls(IN_INTERFACE, Request.GetStatus, 0, 1, 2);
    stalls(IN_ENDPOINT, Request.GetStatus, 0, 0x82, 2);
    stalls(IN_DEVICE, Request.GetStatus, 0, 1, 2);
    stalls(IN_DEVICE, Request.GetStatus, 1, 0, 2);
    stalls(0x83, Request.GetStatus, 0, 0, 2);
  });

  it("says when the device has its own power", () => {
    const descriptors = tokenDescriptors("x");
    const { configuration } = descriptors;
    const requests = new StandardRequests({
      descriptors: {
        ...descriptors,
        configuration: { ...configuration, descriptor: { ...configuration.descriptor, bmAttributes: 0xc0 } },
      },
      onConfiguration: () => undefined,
      onHalt: () => undefined,
    });
    const setup: SetupPacket = {
      bmRequestType: IN_DEVICE,
      bRequest: Request.GetStatus,
      wValue: 0,
      wIndex: 0,
      wLength: 2,
    };
    assert.deepEqual(requests.handle(setup), Uint8Array.of(1, 0));
  });
});

describe("features (USB 2.0, 9.4.1 and 9.4.9)", () => {
  it("halt and clear the bulk endpoints", () => {
    const { requests, done, gives, stalls, events } = setUp();
    stalls(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, EEM_IN);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    done(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, EEM_IN);
    gives([1, 0], IN_ENDPOINT, Request.GetStatus, 0, EEM_IN, 2);
    gives([0, 0], IN_ENDPOINT, Request.GetStatus, 0, EEM_OUT, 2);
    done(OUT_ENDPOINT, Request.ClearFeature, Feature.EndpointHalt, EEM_IN);
    assert.equal(requests.isHalted(EEM_IN), false);
    done(OUT_ENDPOINT, Request.ClearFeature, Feature.EndpointHalt, EEM_IN);
    assert.deepEqual(events, ["configuration 1", "halt 81 true", "halt 81 false", "halt 81 false"]);
  });

  it("leave endpoint 0 alone", () => {
    const { done, stalls, events } = setUp();
    done(OUT_ENDPOINT, Request.ClearFeature, Feature.EndpointHalt, 0);
    done(OUT_ENDPOINT, Request.ClearFeature, Feature.EndpointHalt, 0x80);
    stalls(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, 0);
    assert.deepEqual(events, []);
  });

  it("end with SET_CONFIGURATION and SET_INTERFACE", () => {
    const { requests, done } = setUp();
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    done(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, EEM_OUT);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    assert.equal(requests.isHalted(EEM_OUT), false);
    done(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, EEM_OUT);
    done(OUT_INTERFACE, Request.SetInterface, 0, 0);
    assert.equal(requests.isHalted(EEM_OUT), false);
  });

  it("are refused where there are none", () => {
    const { done, stalls } = setUp();
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    stalls(OUT_DEVICE, Request.SetFeature, Feature.DeviceRemoteWakeup);
    stalls(OUT_DEVICE, Request.ClearFeature, Feature.DeviceRemoteWakeup);
    stalls(OUT_DEVICE, Request.SetFeature, Feature.TestMode, 0x0100);
    stalls(OUT_INTERFACE, Request.SetFeature, 0, 0);
    stalls(OUT_ENDPOINT, Request.SetFeature, 1, EEM_IN);
    stalls(OUT_ENDPOINT, Request.SetFeature, Feature.EndpointHalt, 0x82);
  });
});

describe("interfaces (USB 2.0, 9.4.4 and 9.4.10)", () => {
  it("have the one setting 0, in the configured state", () => {
    const { done, gives, stalls } = setUp();
    stalls(IN_INTERFACE, Request.GetInterface, 0, 0, 1);
    stalls(OUT_INTERFACE, Request.SetInterface, 0, 0);
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    gives([0], IN_INTERFACE, Request.GetInterface, 0, 0, 1);
    done(OUT_INTERFACE, Request.SetInterface, 0, 0);
    stalls(OUT_INTERFACE, Request.SetInterface, 1, 0);
    stalls(OUT_INTERFACE, Request.SetInterface, 0, 1);
    stalls(IN_INTERFACE, Request.GetInterface, 0, 1, 1);
  });
});

describe("any other request", () => {
  it("stalls: SET_DESCRIPTOR, SYNCH_FRAME, class and vendor requests", () => {
    const { done, stalls } = setUp();
    done(OUT_DEVICE, Request.SetConfiguration, 1);
    stalls(OUT_DEVICE, Request.SetDescriptor, 0x0100, 0, 18);
    stalls(IN_ENDPOINT, Request.SynchFrame, 0, EEM_IN, 2);
    stalls(0x21, 0x43, 0, 0);
    stalls(0xc0, 0x20, 0, 4, 16);
    stalls(IN_DEVICE, Request.SetConfiguration, 1);
    stalls(OUT_DEVICE, Request.GetConfiguration);
  });

  it("never throws and never answers more than was asked for", () => {
    const { requests } = setUp();
    const random = seededRandom(4);
    let answered = 0;
    for (let i = 0; i < 20_000; i++) {
      const [type = 0, request = 0, value = 0, high = 0, index = 0, length = 0] = random.bytes(6);
      const setup = {
        bmRequestType: type & 0x83,
        bRequest: request < 128 ? Request.GetDescriptor : request % 14,
        wValue: (value % 3) | ((high % 4) << 8),
        wIndex: index < 128 ? 0 : index,
        wLength: length < 100 ? 0 : length,
      };
      const answer = requests.handle(setup);
      if (answer === "stall") continue;
      answered += 1;
      assert.ok(answer.byteLength <= setup.wLength);
    }
    assert.ok(answered > 100, `${answered}`);
  });
});
