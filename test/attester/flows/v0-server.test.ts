import assert from "node:assert/strict";
import { createV0Server, metadataLines } from "../../../attester/flows/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import { createTpmEmulator } from "../../../hw/tpm/emulator/index.ts";
import { v0ServerContract } from "../../contract/v0-server.ts";
import { seededRandom } from "../../support/random.ts";
import { freshEmulator, freshSwtpm } from "../../support/tpms.ts";

v0ServerContract("the emulator", () => freshEmulator("v0 emulator"));

v0ServerContract("swtpm", freshSwtpm);

describe("API v0 attester", () => {
  it("does not start on a TPM without an EK certificate, and says how to get one", async () => {
    const random = seededRandom(2, "bare");
    const log = { write: () => undefined };
    const emulator = createTpmEmulator({ random, clock: new VirtualClock() });
    const tpm = createTpmClient(emulator.transport, { random, log });
    await tpm.startUp({ platform: emulator.platform, own: true });
    for (const [profile, key, kind] of [
      ["compat", "rsa", "RSA 2048"],
      ["strict", "ecc", "P-256"],
    ] as const) {
      await assert.rejects(
        createV0Server({ tpm, platform: APU2, profile, key, log }),
        (error: unknown) =>
          error instanceof Error &&
          error.name === "IdentityError" &&
          error.message.startsWith(`The TPM has no EK certificate for ${kind}`) &&
          error.message.includes("fobnail tpm manufacture"),
      );
    }
  });

  it("prints the facts as the reference does, and nothing about SMBIOS where there was none", () => {
    const { smbiosGeneration: _generation, ...facts } = APU2;
    assert.deepEqual(metadataLines(facts), [
      "MAC:  0: D:B9:53:D2:50",
      "Manufacturer >PC Engines<",
      "Product Name >apu2<",
      "Serial Number >1373268<",
    ]);
    assert.equal(metadataLines({ ...APU2, smbiosGeneration: 3 })[1], "SMBIOSv3");
  });
});
