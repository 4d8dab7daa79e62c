import assert from "node:assert/strict";
import { expectedPcr, measurementsOf, sampleLaunch } from "../../../attester/dlme/index.ts";
import { APU2, parseProfile } from "../../../attester/platform/index.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { TpmAlg } from "../../../shared/tpm/index.ts";
import { measuredBootContract } from "../../contract/measured-boot.ts";
import { freshEmulator, freshSwtpm } from "../../support/tpms.ts";

describe("measurements of a boot", () => {
  it("are, for the firmware of the published apu2, what its PCRs held", () => {
    const measurements = measurementsOf({ firmware: APU2.firmware });
    for (const pcr of [0, 3, 6, 7]) {
      const value = toHex(expectedPcr(measurements, TpmAlg.SHA256, pcr));
      assert.equal(value, "d27cc12614b5f4ff85ed109495e320fb1e5495eb28d507e952d51091e7ae2a72");
    }
  });

  it("are, for a firmware that hashes for each bank, the usual value of a lone separator", () => {
    const profile = parseProfile(
      { mac: "00:00:00:00:00:01", manufacturer: "a", product_name: "b", serial_number: "c" },
      "p",
    );
    const value = expectedPcr(measurementsOf({ firmware: profile.firmware }), TpmAlg.SHA256, 7);
    assert.equal(toHex(value), "e21b703ee69c77476bccb43ec0336a9a1b2914b378944f7b00a10214ca8fea93");
  });

  it("follow the launch's order, localities and PCRs", () => {
    const list = measurementsOf({ firmware: [], launch: sampleLaunch() });
    assert.deepEqual(
      list.map(({ locality, pcr, event, data }) => [locality, pcr, event, data.byteLength]),
      [
        [4, 17, "SKINIT", 4096],
        [2, 18, "Measured bootloader data into PCR18", 256],
        [2, 17, "Measured Kernel into PCR17", 16_384],
        [2, 18, "Measured boot parameters into PCR18", 4096],
        [2, 18, "Measured Kernel command line into PCR18", 2047],
        [2, 17, "Measured initramfs into PCR17", 8192],
      ],
    );
    const { initrd: _initrd, ...without } = sampleLaunch();
    assert.equal(measurementsOf({ firmware: [], launch: without }).length, 5);
  });

  it("put a HASH sequence into PCR 17 as H(0 || H(data))", () => {
    const data = new Uint8Array(10_000).fill(0x5a);
    const value = expectedPcr(
      [{ by: "loader", pcr: 17, locality: 4, event: "SKINIT", data, style: "hashed" }],
      TpmAlg.SHA256,
      17,
    );
    assert.equal(toHex(value), "554ca4e63fed0bf69e376ae97db85913d3464755597b319070b1c951cc41bffe");
  });

  it("differ in PCR 17 for another kernel and in PCR 18 for another command line", () => {
    const pcrs = (labels: Parameters<typeof sampleLaunch>[0]) => {
      const list = measurementsOf({ firmware: [], launch: sampleLaunch(labels) });
      return [17, 18].map((pcr) => toHex(expectedPcr(list, TpmAlg.SHA256, pcr)));
    };
    const [good17, good18] = pcrs({});
    for (const changed of [{ kernel: "evil" }, { initrd: "evil" }, { loader: "evil" }]) {
      const [pcr17, pcr18] = pcrs(changed);
      assert.notEqual(pcr17, good17);
      assert.equal(pcr18, good18);
    }
    const [pcr17, pcr18] = pcrs({ commandLine: "init=/bin/sh" });
    assert.equal(pcr17, good17);
    assert.notEqual(pcr18, good18);
  });
});

measuredBootContract("the emulator", () => freshEmulator("measured boot"));

measuredBootContract("swtpm", freshSwtpm);
