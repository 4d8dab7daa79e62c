import assert from "node:assert/strict";
import {
  bootLogs,
  bootMeasured,
  disagreements,
  expectedPcr,
  type Measurement,
  measurementsOf,
  powerCycle,
  runMeasuredBoot,
  sampleLaunch,
} from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { createTpmClient } from "../../../attester/tpm/index.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { diffEvents, type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { ALL_PCRS, TpmAlg } from "../../../shared/tpm/index.ts";
import { seededRandom } from "../../support/random.ts";
import { fileCases, stepOfMeasurement, tamperCases } from "../../support/tamper-matrix.ts";
import { freshEmulator } from "../../support/tpms.ts";

const BANKS = [TpmAlg.SHA1, TpmAlg.SHA256];
const inputs = { firmware: APU2.firmware, launch: sampleLaunch() };
const good = measurementsOf(inputs);
const cases = tamperCases(good);

const values = (list: readonly Measurement[], hash: number) =>
  Array.from({ length: 24 }, (_, pcr) => toHex(expectedPcr(list, hash, pcr)));

function eventsOf(list: readonly Measurement[]): readonly LogEvent[] {
  return bootLogs(list, BANKS).flatMap(({ events }) => events);
}

describe("the tamper matrix, in PCRs and logs", () => {
  it("has a case of every kind for every step: more than 40 of the launch alone", () => {
    const ofLaunch = cases.filter(({ pcr }) => pcr >= 17);
    assert.ok(ofLaunch.length >= 40, `${ofLaunch.length} cases of the launch`);
    assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length, "two cases with one name");
    for (const measurement of good) {
      const own = cases.filter(({ name }) =>
        name.startsWith(`PCR ${measurement.pcr} ${stepOfMeasurement(measurement)} (`),
      );
      assert.ok(own.filter(({ kind }) => kind === "changed").length >= 4, measurement.event);
      assert.ok(
        own.some(({ kind }) => kind === "missing"),
        measurement.event,
      );
      assert.ok(measurement.locality === 4 || own.some(({ kind }) => kind === "added"), measurement.event);
    }
    const steps = new Set(ofLaunch.filter(({ kind }) => kind === "moved").flatMap((one) => one.steps));
    assert.deepEqual([...steps].sort(), ["boot-parameters", "bootloader-data", "command-line", "initrd", "kernel"]);
  });

  for (const { name, measurements, kind, pcr, steps, launched } of cases) {
    it(`${name}: ${kind} ${steps.join(" or ")}`, () => {
      for (const hash of BANKS) {
        const [before, after] = [values(good, hash), values(measurements, hash)];
        assert.notEqual(after[pcr], before[pcr], `PCR ${pcr} is as before`);
        const difference = diffEvents(eventsOf(good), eventsOf(measurements), hash)[0] ?? assert.fail("none");
        assert.deepEqual([difference.kind, difference.pcr], [kind, pcr]);
        assert.ok(steps.includes(difference.step), difference.step);
        const replayed = replayLog(eventsOf(measurements), hash);
        for (const [at, value] of replayed) {
          if (launched || at < 17) assert.equal(toHex(value), after[at], `the log replays to another PCR ${at}`);
        }
      }
    });
  }

  it("a missing launch is seen by PCRs that start from all ones, against which no log replays", () => {
    const without = cases.filter(({ launched }) => !launched);
    assert.equal(without.length, 1);
    const [{ measurements }] = [without[0] ?? assert.fail()];
    const bank = { hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS, values: Array.from({ length: 24 }, (_, pcr) => expectedPcr(measurements, TpmAlg.SHA256, pcr)) }; // biome-ignore format: one bank
    assert.equal(toHex(expectedPcr(measurements, TpmAlg.SHA256, 19)), "ff".repeat(32));
    assert.deepEqual(
      disagreements(measurements, bootLogs(measurements, BANKS), [bank]).map((one) => one.pcr),
      [17, 18],
    );
  });

  for (const { name, files, steps } of fileCases(inputs.launch)) {
    it(`on the disk, ${name}: ${steps.join(", then ") || "not measured"}`, () => {
      const changed = measurementsOf({ ...inputs, launch: files });
      for (const hash of BANKS) {
        const differences = diffEvents(eventsOf(good), eventsOf(changed), hash);
        assert.deepEqual(
          differences.map(({ step }) => step),
          steps,
        );
        assert.equal(values(changed, hash).join() === values(good, hash).join(), steps.length === 0);
      }
    });
  }

  it("is what a TPM holds, case by case", async () => {
    const tpm = await freshEmulator("tamper matrix");
    const client = createTpmClient(tpm.transport, { random: seededRandom(7), log: { write: () => undefined } });
    await client.startUp({ platform: tpm.platform, own: true });
    for (const { name, measurements, launched } of cases.filter(({ pcr }) => pcr >= 17)) {
      if (launched) {
        const booted = await bootMeasured(client, tpm.platform, measurements, "orderly");
        assert.ok(booted.ok, `${name}: ${booted.ok ? "" : booted.detail}`);
        continue;
      }
      await powerCycle(client, tpm.platform, "orderly");
      assert.ok((await runMeasuredBoot(client, tpm.platform, measurements)).ok);
      const [bank] = await client.readPcrs([{ hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS }]);
      assert.deepEqual(bank?.values.map(toHex), values(measurements, TpmAlg.SHA256));
    }
    await tpm.stop();
  });
});
