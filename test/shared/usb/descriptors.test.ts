import assert from "node:assert/strict";
import fc from "fast-check";
import { CodecError, decode, encode, fromHex, toHex } from "../../../shared/bytes/index.ts";
import {
  DeviceDescriptor,
  LanguagesDescriptor,
  SetupPacket,
  StringDescriptor,
  UsbConfiguration,
} from "../../../shared/usb/index.ts";
import { tokenDescriptors } from "../../../token/usb/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ""));
  assert.ok(bytes);
  return bytes;
}

// Laid out by hand after USB 2.0, tables 9-8 to 9-16, for the stick.
const DEVICE = "12 01 0002 00 00 00 40 3412 2143 0001 01 02 03 01";
const CONFIGURATION = "09 02 2000 01 01 00 80 32  09 04 00 00 02 02 0c 07 04  07 05 81 02 4000 00  07 05 01 02 4000 00";

describe("setup packet (USB 2.0, 9.3)", () => {
  it("is eight bytes, little-endian", () => {
    const bytes = hex("80 06 0001 0000 4000");
    const setup = { bmRequestType: 0x80, bRequest: 6, wValue: 0x0100, wIndex: 0, wLength: 64 };
    assert.deepEqual(decode(SetupPacket, bytes), setup);
    assert.deepEqual(encode(SetupPacket, setup), bytes);
    assertStrict("setup", (input) => decode(SetupPacket, input), bytes);
    fuzzDecoder("setup", (input) => decode(SetupPacket, input), [bytes]);
  });
});

describe("descriptors (USB 2.0, 9.6)", () => {
  const { device, configuration } = tokenDescriptors("TEST");

  it("of the stick are these bytes", () => {
    assert.equal(toHex(encode(DeviceDescriptor, device)), toHex(hex(DEVICE)));
    assert.equal(toHex(encode(UsbConfiguration, configuration)), toHex(hex(CONFIGURATION)));
    assert.deepEqual(decode(DeviceDescriptor, hex(DEVICE)), device);
    assert.deepEqual(decode(UsbConfiguration, hex(CONFIGURATION)), configuration);
  });

  it("are read strictly", () => {
    assertStrict("device descriptor", (input) => decode(DeviceDescriptor, input), hex(DEVICE));
    assertStrict("configuration", (input) => decode(UsbConfiguration, input), hex(CONFIGURATION));
    for (const [at, value, path] of [
      [0, 8, /bLength/],
      [1, 3, /bDescriptorType/],
      [2, 8, /wTotalLength/],
      [2, 31, /interfaces/],
      [4, 2, /bNumInterfaces/],
      [7, 0x81, /bmAttributes/],
      [13, 3, /interfaces/],
      [20, 0x91, /bEndpointAddress/],
    ] as const) {
      const bad = hex(CONFIGURATION);
      bad[at] = value;
      assert.throws(() => decode(UsbConfiguration, bad), path, `byte ${at}`);
    }
  });

  it("count what they hold when written", () => {
    const miscounted = { ...configuration.descriptor, wTotalLength: 1, bNumInterfaces: 7 };
    const encoded = encode(UsbConfiguration, { ...configuration, descriptor: miscounted });
    assert.equal(toHex(encoded), toHex(hex(CONFIGURATION)));
  });

  it("survive anything", () => {
    fuzzDecoder("device descriptor", (input) => decode(DeviceDescriptor, input), [hex(DEVICE)]);
    fuzzDecoder("configuration", (input) => decode(UsbConfiguration, input), [hex(CONFIGURATION)]);
  });
});

describe("string descriptors (USB 2.0, 9.6.7)", () => {
  it("hold UTF-16LE text or language ids", () => {
    assert.equal(toHex(encode(StringDescriptor, "Fob")), "0803" + "46006f006200");
    assert.equal(toHex(encode(LanguagesDescriptor, [0x0409])), "04030904");
    assert.equal(toHex(encode(StringDescriptor, "")), "0203");
    assert.deepEqual(decode(LanguagesDescriptor, hex("04030904")), [0x0409]);
  });

  it("are read strictly", () => {
    assertStrict("string", (input) => decode(StringDescriptor, input), hex("0803 46006f006200"));
    for (const bad of ["00 03", "01 03", "03 03 41", "02 02", "05 03 41 00 42"]) {
      assert.throws(() => decode(StringDescriptor, hex(bad)), CodecError, bad);
    }
    fuzzDecoder("string", (input) => decode(StringDescriptor, input), [hex("0803 46006f006200")]);
    fuzzDecoder("languages", (input) => decode(LanguagesDescriptor, input), [hex("04030904")]);
  });

  it("give back what was written, up to 126 units", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        assert.equal(decode(StringDescriptor, encode(StringDescriptor, text)), text);
      }),
    );
    assert.equal(encode(StringDescriptor, "x".repeat(126)).byteLength, 254);
    assert.throws(() => encode(StringDescriptor, "x".repeat(127)), RangeError);
  });
});
