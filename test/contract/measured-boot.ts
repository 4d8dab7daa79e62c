import assert from "node:assert/strict";
import {
  bootMeasured,
  expectedPcr,
  measurementsOf,
  powerCycle,
  runMeasuredBoot,
  sampleLaunch,
} from "../../attester/dlme/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import { createTpmClient, type TpmClient } from "../../attester/tpm/index.ts";
import { toHex, utf8 } from "../../shared/bytes/index.ts";
import { decodeTcgLog, encodeTcgLog, replayLog } from "../../shared/event-log/index.ts";
import { TpmAlg, TpmError, TpmRc } from "../../shared/tpm/index.ts";
import { seededRandom } from "../support/random.ts";
import type { TpmBackend } from "./tpm-client.ts";

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 22, 23];

/** Of the sample files, computed by another program (Python's hashlib) from the boot protocol's offsets: bank, PCR, value. */
const SAMPLE_LAUNCH = [
  [TpmAlg.SHA1, 17, "ac934c0f4ddc832f9631d37f0a747626bf64b0cc"],
  [TpmAlg.SHA1, 18, "f111c47a3902c15bb21bd1fe94e910372a340dd8"],
  [TpmAlg.SHA256, 17, "1d1b12d114c65f873e7f8d1e28269a684cd9dbca7a151972a0dc2756322d0217"],
  [TpmAlg.SHA256, 18, "8204eb54c444f786e0288e51ef0eed3fda09e2db411cc1701fef54aa5cb1bbb7"],
] as const;

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

    it("gives one value in TPM, log and replay, in every bank", async () => {
      const measurements = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
      const booted = await bootMeasured(client, tpm.platform, measurements, "orderly");
      assert.ok(booted.ok, booted.ok ? "" : booted.detail);
      const active = (await client.activeBanks()).map(({ hash }) => hash);
      assert.ok(active.includes(TpmAlg.SHA1) && active.includes(TpmAlg.SHA256));
      const events = booted.logs.flatMap((log) => decodeTcgLog(encodeTcgLog(log)).events);
      for (const hash of active) {
        for (const [pcr, value] of replayLog(events, hash)) assert.equal(await read(hash, pcr), toHex(value));
      }
      for (const [hash, pcr, value] of SAMPLE_LAUNCH) assert.equal(await read(hash, pcr), value);
    });

    it("tells when the TPM holds something else than was measured", async () => {
      const lying = { ...tpm.platform, hashSequence: () => tpm.platform.hashSequence(utf8("another loader")) };
      const measurements = measurementsOf({ firmware: [], launch: sampleLaunch() });
      const outcome = await bootMeasured(client, lying, measurements, "orderly");
      assert.ok(!outcome.ok && outcome.reason === "disagreement");
      assert.match(outcome.detail, /do not agree on PCR 17 in sha/);
      const refused = await bootMeasured(client, undefined, measurements, "orderly");
      assert.ok(!refused.ok && refused.reason === "no-platform");
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
