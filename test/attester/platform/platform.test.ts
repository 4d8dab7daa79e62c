import assert from "node:assert/strict";
import {
  APU2,
  type HostSource,
  hostPlatform,
  type NetworkInterface,
  PlatformError,
  profilePlatform,
  selectNetworkCard,
} from "../../../attester/platform/index.ts";
import { entryPoint64, smbiosTable, systemInformation } from "../../support/smbios.ts";

const mac = (last: number) => Uint8Array.of(0x00, 0x0d, 0xb9, 0x53, 0xd2, last);
const card = (name: string, last: number, pci?: string): NetworkInterface => ({ name, mac: mac(last), pci });

const source = (changes: Partial<HostSource> = {}): HostSource => ({
  smbiosEntryPoint: async () => entryPoint64(),
  smbiosTable: async () => smbiosTable(),
  networkInterfaces: async () => [card("enp1s0", 0x50, "0000:01:00.0")],
  ...changes,
});

describe("the network card that names a platform", () => {
  for (const [what, cards, name] of [
    ["the lowest bus", [card("c", 3, "0000:03:00.0"), card("a", 1, "0000:01:00.0"), card("b", 2, "0000:02:00.0")], "a"],
    ["the lowest device, as a number", [card("x", 1, "0000:00:1f.6"), card("y", 2, "0000:00:0a.0")], "y"],
    ["the lowest function", [card("x", 1, "0000:00:03.1"), card("y", 2, "0000:00:03.0")], "y"],
    ["the lowest domain first", [card("x", 1, "0001:00:00.0"), card("y", 2, "0000:ff:1f.7")], "y"],
    [
      "of one function the first by name",
      [card("enp1s0d1", 1, "0000:01:00.0"), card("enp1s0", 2, "0000:01:00.0")],
      "enp1s0",
    ],
    ["not USB, not virtual", [card("usb0", 1), card("br0", 2), card("eth0", 3, "0000:05:00.0")], "eth0"],
    [
      "not one without an address",
      [{ name: "x", mac: new Uint8Array(6), pci: "0000:00:00.0" }, card("y", 1, "0000:01:00.0")],
      "y",
    ],
    ["none", [card("usb0", 1), card("lo", 0), card("odd", 3, "platform")], undefined],
  ] as const) {
    it(`is ${what}`, () => assert.equal(selectNetworkCard(cards)?.name, name));
  }
});

describe("the platform of this machine", () => {
  it("has the facts of SMBIOS and the card", async () => {
    assert.deepEqual(await hostPlatform(source()).read(), {
      mac: mac(0x50),
      manufacturer: "PC Engines",
      productName: "apu2",
      serialNumber: "1373268",
      smbiosGeneration: 3,
    });
  });

  for (const [what, changes, sentence] of [
    ["no card", { networkInterfaces: async () => [] }, "this machine has no PCI network card; give a profile"],
    [
      "no serial number",
      { smbiosTable: async () => smbiosTable(systemInformation(["a"], [1, 1, 1, 0])) },
      "SMBIOS type 1 names no serial number; give a profile",
    ],
    [
      "a table without permission",
      { smbiosTable: () => Promise.reject(new Error("/sys/firmware/dmi/tables/DMI is readable by root only")) },
      "/sys/firmware/dmi/tables/DMI is readable by root only; give a profile",
    ],
    [
      "a malformed table",
      { smbiosTable: async () => Uint8Array.of(1) },
      "the SMBIOS table is malformed: SMBIOS[0]: 1 bytes wanted, 0 left (at byte 1); give a profile",
    ],
  ] as const) {
    it(`says a sentence when it has ${what}`, async () => {
      await assert.rejects(
        hostPlatform(source(changes)).read(),
        (error: unknown) => error instanceof PlatformError && error.message.startsWith(sentence),
      );
    });
  }

  it("is what the profile says where there is a profile", async () => {
    assert.equal((await profilePlatform(APU2).read()).serialNumber, "1373268");
  });
});
