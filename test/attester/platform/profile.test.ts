import assert from "node:assert/strict";
import { APU2, builtInProfiles, parseProfile as judge, ProfileError } from "../../../attester/platform/index.ts";
import { parseDocument } from "../../../hw/files/profiles.ts";

const parseProfile = (text: string, name: string) => judge(parseDocument(text, name), name);

const GOOD = `
mac: 00:0D:B9:53:D2:50
manufacturer: PC Engines
product_name: apu2
serial_number: "1373268"
`;

describe("platform profile", () => {
  it("has the walk-through's apu2 built in", () => {
    assert.deepEqual(builtInProfiles.get("apu2"), APU2);
    assert.deepEqual([...APU2.mac], [0x00, 0x0d, 0xb9, 0x53, 0xd2, 0x50]);
    assert.deepEqual([APU2.manufacturer, APU2.productName, APU2.serialNumber], ["PC Engines", "apu2", "1373268"]);
  });

  it("is read from YAML and from JSON alike", () => {
    const json = {
      mac: "00-0d-b9-53-d2-50",
      manufacturer: "PC Engines",
      product_name: "apu2",
      serial_number: "1373268",
    };
    const fromYaml = parseProfile(GOOD, "a.yaml");
    assert.deepEqual(parseProfile(JSON.stringify(json), "a.json"), fromYaml);
    assert.deepEqual(fromYaml.mac, APU2.mac);
    assert.equal(fromYaml.smbiosGeneration, 2);
    assert.ok(fromYaml.firmware.length >= 8, "a firmware that measures separators is assumed");
  });

  it("takes the firmware's measurements", () => {
    const profile = parseProfile(
      `${GOOD}smbios: 3\nfirmware:\n  - { pcr: 0, event: EV_SEPARATOR, data: "ffffffff" }\n  - { pcr: 4, event: EV_IPL, text: GRUB, style: padded-sha1 }\n`,
      "a.yaml",
    );
    assert.equal(profile.smbiosGeneration, 3);
    assert.deepEqual(profile.firmware, [
      { pcr: 0, event: "EV_SEPARATOR", data: Uint8Array.of(255, 255, 255, 255), style: "hashed" },
      { pcr: 4, event: "EV_IPL", data: new TextEncoder().encode("GRUB"), style: "padded-sha1" },
    ]);
  });

  for (const [what, text, problem] of [
    ["a missing key", GOOD.replace("manufacturer: PC Engines\n", ""), "p.yaml: manufacturer is missing"],
    [
      "a number as serial number",
      GOOD.replaceAll('"', ""),
      "p.yaml: serial_number: serial_number must be a text (quote numbers)",
    ],
    ["a short MAC", GOOD.replace(":50", ""), "p.yaml: mac: mac must be six bytes such as 00:0D:B9:53:D2:50"],
    ["an empty name", GOOD.replace("apu2", '""'), "p.yaml: product_name: product_name is empty"],
    ["an unknown key", `${GOOD}colour: red\n`, "p.yaml: unknown key colour"],
    [
      "a long text",
      GOOD.replace("apu2", "x".repeat(257)),
      "p.yaml: product_name: product_name is longer than 256 bytes",
    ],
    [
      "PCR 17 for the firmware",
      `${GOOD}firmware: [{pcr: 17, event: x, text: y}]`,
      "p.yaml: firmware.0.pcr: the firmware measures into PCR 0 to 7",
    ],
    [
      "an event with both",
      `${GOOD}firmware: [{pcr: 1, event: EV_IPL, text: y, data: "00"}]`,
      "p.yaml: firmware.0: give either data (hex) or text",
    ],
    [
      "an event type that nobody knows",
      `${GOOD}firmware: [{pcr: 1, event: EV_ILP, text: y}]`,
      "p.yaml: firmware.0.event: must be a type of measured event such as EV_SEPARATOR",
    ],
    [
      "an event that no PCR takes",
      `${GOOD}firmware: [{pcr: 0, event: EV_NO_ACTION, text: y}]`,
      "p.yaml: firmware.0.event: must be a type of measured event such as EV_SEPARATOR",
    ],
    [
      "odd hexadecimal",
      `${GOOD}firmware: [{pcr: 1, event: EV_IPL, data: "0"}]`,
      "p.yaml: firmware.0.data: must be pairs of hexadecimal digits",
    ],
    ["no map at all", "- 1\n", "p.yaml: "],
    ["an empty file", "", "p.yaml: "],
  ] as const) {
    it(`is refused with the place: ${what}`, () => {
      assert.throws(
        () => parseProfile(text, "p.yaml"),
        (error: unknown) => {
          assert.ok(error instanceof ProfileError);
          assert.ok(error.message.startsWith(problem), error.message);
          return true;
        },
      );
    });
  }

  for (const [what, text] of [
    ["a text", "open sesame\n"],
    ["a text where a list belongs", `${GOOD}firmware: open sesame\n`],
    ["a text where a number belongs", `${GOOD}firmware: [{pcr: open sesame, event: x, text: y}]`],
    ["a text where one of several belongs", `${GOOD}smbios: open sesame\n`],
    ["many of them", `${GOOD}firmware: [${"open sesame,".repeat(1_000)}]`],
    ["broken YAML", "a: [open sesame\nfoo\n"],
  ] as const) {
    it(`is refused without what stands in the file, which may be another's: ${what}`, () => {
      assert.throws(
        () => parseProfile(text, "p.yaml"),
        ({ message }: Error) => message.startsWith("p.yaml: ") && message.length < 1_000 && !/sesame/.test(message),
      );
    });
  }
});
