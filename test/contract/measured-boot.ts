import assert from "node:assert/strict";
import { expectedPcr, measurementsOf, powerCycle, runMeasuredBoot, sampleLaunch } from "../../attester/dlme/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { TpmAlg, TpmError, TpmRc } from "../../shared/tpm/index.ts";
import { seededRandom } from "../support/random.ts";
import type { TpmBackend } from "./tpm-client.ts";

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 22, 23];

/** A TPM with its chipset's side: what a boot measures is what its PCRs hold. */
export function measuredBootContract(name: string, open: (context: Mocha.Context) => Promise<TpmBackend>): void {
  describe(`measured boot on ${name}`, () => {
    let tpm: TpmBackend;
    let client: TpmClient;

    before(async function () {
      tpm = await open(this);
      client = createTpmClient(tpm.transport, { random: seededRandom(3), log: { write: () => undefined } });
      await client.startUp({ platform: tpm.platform, own: true });
    });
    after(() => tpm?.stop());

    const read = async (hash: number, pcr: number) => {
      const [bank] = await client.readPcrs([{ hash, pcrSelect: 1 << pcr }]);
      return toHex(bank?.values[0] ?? assert.fail(`no PCR ${pcr}`));
    };

    it("fills every active bank as the measurements say", async () => {
      await powerCycle(client, tpm.platform, "orderly");
      const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
      assert.deepEqual(await runMeasuredBoot(client, tpm.platform, measurements), { ok: true });
      for (const { hash } of await client.activeBanks()) {
        for (const pcr of PCRS) {
          assert.equal(await read(hash, pcr), toHex(expectedPcr(measurements, hash, pcr)), `bank ${hash}, PCR ${pcr}`);
        }
      }
    });

    it("is at locality 0 again afterwards", async () => {
      await assert.rejects(
        client.extend(17, [{ hash: TpmAlg.SHA256, digest: new Uint8Array(32) }]),
        (error: unknown) => error instanceof TpmError && error.base === TpmRc.LOCALITY,
      );
    });

    it("leaves PCR 17 and 18 all ones when nothing was launched", async () => {
      await powerCycle(client, tpm.platform, "cut");
      const measurements = measurementsOf({ firmware: APU2.firmware });
      assert.deepEqual(await runMeasuredBoot(client, tpm.platform, measurements), { ok: true });
      assert.equal(await read(TpmAlg.SHA256, 17), "ff".repeat(32));
      assert.equal(await read(TpmAlg.SHA256, 0), toHex(expectedPcr(measurements, TpmAlg.SHA256, 0)));
    });

    it("refuses a launch where nobody plays the chipset, and measures firmware there", async () => {
      await powerCycle(client, tpm.platform, "orderly");
      const launch = measurementsOf({ firmware: [], launch: sampleLaunch() });
      const outcome = await runMeasuredBoot(client, undefined, launch);
      assert.ok(!outcome.ok && outcome.reason === "no-platform");
      assert.match(outcome.detail, /locality 4/);
      assert.equal(await read(TpmAlg.SHA256, 17), "ff".repeat(32));
      const firmware = measurementsOf({ firmware: APU2.firmware });
      assert.deepEqual(await runMeasuredBoot(client, undefined, firmware), { ok: true });
      assert.equal(await read(TpmAlg.SHA256, 4), toHex(expectedPcr(firmware, TpmAlg.SHA256, 4)));
    });
  });
}
