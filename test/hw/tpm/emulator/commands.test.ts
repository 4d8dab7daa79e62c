import assert from "node:assert/strict";
import { implementedCommands } from "../../../../hw/tpm/emulator/index.ts";
import { commands, TpmCap } from "../../../../shared/tpm/index.ts";
import { Bench } from "./support.ts";

describe("the emulator's commands", () => {
  it("are the declared ones", () => {
    assert.deepEqual([...implementedCommands].sort(), Object.keys(commands).sort());
  });

  it("are listed as capabilities with their TPMA_CC, as libtpms has it", () => {
    const bench = new Bench().start();
    const { response } = bench.must(commands.GetCapability, [], {
      capability: TpmCap.COMMANDS,
      property: 0,
      propertyCount: 1000,
    });
    assert.equal(response.moreData, 0);
    assert.ok(response.capabilityData.capability === TpmCap.COMMANDS);
    const { data } = response.capabilityData;
    assert.equal(data.length, implementedCommands.length);
    const attributes = new Map(data.map((one) => [one & 0xffff, one.toString(16).padStart(8, "0")]));
    // From TPM2_GetCapability of swtpm 0.7.1.
    for (const expected of [
      "04400120",
      "0240012a",
      "12000131",
      "04400137",
      "0240013d",
      "0300013e",
      "00400143",
      "00400144",
      "00400145",
    ]) {
      assert.equal(attributes.get(Number.parseInt(expected.slice(4), 16)), expected);
    }
    for (const expected of [
      "04000147",
      "0400014e",
      "04000151",
      "02000153",
      "12000157",
      "02000158",
      "0200015c",
      "0200015d",
      "00000165",
    ]) {
      assert.equal(attributes.get(Number.parseInt(expected.slice(4), 16)), expected);
    }
    for (const expected of [
      "02000169",
      "02000173",
      "14000176",
      "0000017a",
      "0000017b",
      "0000017d",
      "0000017e",
      "00000181",
      "02400182",
      "10000186",
    ]) {
      assert.equal(attributes.get(Number.parseInt(expected.slice(4), 16)), expected);
    }
  });
});
