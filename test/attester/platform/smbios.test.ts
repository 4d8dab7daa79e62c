import assert from "node:assert/strict";
import { decodeSystemInformation, smbiosGeneration } from "../../../attester/platform/smbios.ts";
import { CodecError, concat } from "../../../shared/bytes/index.ts";
import { assertStrict, fuzzDecoder } from "../../support/fuzz.ts";
import { entryPoint32, entryPoint64, smbiosStructure, smbiosTable, systemInformation } from "../../support/smbios.ts";

describe("SMBIOS", () => {
  it("finds the System Information record", () => {
    assert.deepEqual(decodeSystemInformation(smbiosTable()), {
      manufacturer: "PC Engines",
      productName: "apu2",
      serialNumber: "1373268",
    });
  });

  it("follows the string numbers, not their order, and gives an absent string as empty", () => {
    const table = smbiosTable(systemInformation(["1373268", "PC Engines"], [2, 0, 0, 1]));
    assert.deepEqual(decodeSystemInformation(table), {
      manufacturer: "PC Engines",
      productName: "",
      serialNumber: "1373268",
    });
  });

  it("reads a record of version 2.0, which ends behind the serial number", () => {
    const table = smbiosTable(smbiosStructure(1, [1, 1, 1, 1], ["same"]));
    assert.equal(decodeSystemInformation(table).serialNumber, "same");
  });

  it("passes over structures without strings and stops at the end-of-table record", () => {
    const empty = smbiosStructure(126, [1, 2, 3], []);
    assert.equal(decodeSystemInformation(smbiosTable(empty, systemInformation())).productName, "apu2");
    const behind = concat(smbiosTable(empty), systemInformation());
    assert.throws(() => decodeSystemInformation(behind), /no System Information record/);
  });

  const oem = smbiosStructure(11, [1], [`io.systemd.credential.binary:keys=${"A".repeat(300)}`]);
  for (const [what, table] of [
    ["a string of 300 bytes before its record", smbiosTable(oem, systemInformation())],
    [
      "a string that is not UTF-8 before its record",
      smbiosTable(smbiosStructure(4, [1], [[0x49, 0xae]]), systemInformation()),
    ],
    [
      "300 strings before its record",
      smbiosTable(smbiosStructure(11, [], new Array<string>(300).fill("x")), systemInformation()),
    ],
    ["anything behind its record", Uint8Array.from([...systemInformation(), 17, 3, 0xff])],
    ["no end-of-table record, as version 2.1 has none", concat(smbiosStructure(0, [1], ["bios"]), systemInformation())],
    [
      "a version in its record that is not UTF-8",
      smbiosTable(smbiosStructure(1, [1, 2, 4, 3], ["PC Engines", "apu2", "1373268", [0xff]])),
    ],
  ] as const) {
    it(`reads a table with ${what}`, () => {
      const { manufacturer, productName, serialNumber } = decodeSystemInformation(table);
      assert.deepEqual([manufacturer, productName, serialNumber], ["PC Engines", "apu2", "1373268"]);
    });
  }

  it("refuses every proper prefix of a table up to its record", () => {
    const table = concat(smbiosStructure(0, [1, 2], ["coreboot", "v4"]), systemInformation());
    for (let size = 0; size < table.byteLength; size++) {
      assert.throws(() => decodeSystemInformation(table.slice(0, size)), CodecError, `prefix of ${size} bytes`);
    }
  });

  for (const [what, table, problem] of [
    ["no type 1 record", smbiosTable(smbiosStructure(2, [1], ["board"])), /no System Information record/],
    ["a string number past the set", smbiosTable(systemInformation(["only"], [1, 1, 1, 2])), /string 2 of 1/],
    ["a record too short for its fields", smbiosTable(smbiosStructure(1, [1, 1, 1], ["x"])), /serialNumber/],
    ["a structure shorter than its header", Uint8Array.of(1, 3, 0, 0, 0, 0), /less than its header/],
    ["a string without an end", Uint8Array.of(1, 4, 0, 0, 65, 66), /wanted/],
    ["a string that is not UTF-8", smbiosTable(smbiosStructure(1, [1, 1, 1, 1], [[0xc3]])), /UTF-8/],
    ["a string of 257 bytes", smbiosTable(systemInformation(["x".repeat(257)], [1, 1, 1, 1])), /more than 256/],
    ["no record and no end", smbiosStructure(2, [1], ["board"]), /no System Information record/],
    ["a table over 1 MiB", new Uint8Array((1 << 20) + 1), /more than 1048576/],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeSystemInformation(table),
        (error: unknown) => error instanceof CodecError && problem.test(error.message),
      );
    });
  }

  it("tells the entry points apart and checks them", () => {
    assert.equal(smbiosGeneration(entryPoint32()), 2);
    assert.equal(smbiosGeneration(entryPoint32(0x1e)), 2);
    assert.equal(smbiosGeneration(entryPoint64()), 3);
    assertStrict("32-bit entry point", smbiosGeneration, entryPoint32());
    assertStrict("32-bit entry point of version 2.1", smbiosGeneration, entryPoint32(0x1e));
    assertStrict("64-bit entry point", smbiosGeneration, entryPoint64());
    for (const good of [entryPoint32(), entryPoint64()]) {
      good[7] = 9; // a version number, with the checksum now wrong
      assert.throws(() => smbiosGeneration(good), /checksum is wrong/);
    }
  });

  it("gives CodecError and nothing else on any bytes", () => {
    fuzzDecoder("SMBIOS table", decodeSystemInformation, [smbiosTable(), systemInformation()]);
    fuzzDecoder("SMBIOS entry point", smbiosGeneration, [entryPoint32(), entryPoint64()]);
  });
});
