import assert from "node:assert/strict";
import {
  bootLogs,
  compareTales,
  measurementsOf,
  predict,
  sampleLaunch,
  type Tale,
  taleOfLog,
  taleOfPrediction,
} from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { decodeTcgLog, encodeTcgLog, type TcgLog } from "../../../shared/event-log/index.ts";
import { pcrNumbers, TpmAlg } from "../../../shared/tpm/index.ts";
import { APU2_LAUNCHES, drtmLog } from "../../support/event-logs.ts";

const BANKS = [TpmAlg.SHA1, TpmAlg.SHA256];
const good = measurementsOf({ firmware: APU2.firmware, launch: sampleLaunch() });
const [firmwareLog, launchLog] = bootLogs(good, BANKS);

const log = (which: TcgLog | undefined): Tale => taleOfLog(which ?? assert.fail("no log"));
const compare = (before: Tale, after: Tale) => compareTales(before, after) ?? assert.fail("nothing in common");

describe("tales of a boot, against each other", () => {
  it("hold the published values of the apu2's launches", () => {
    const tales = APU2_LAUNCHES.map(({ events, pcrs }) => {
      const tale = taleOfLog(decodeTcgLog(encodeTcgLog(drtmLog(events))));
      for (const [pcr, held] of pcrs) assert.equal(toHex(tale.value(TpmAlg.SHA256, pcr)), held);
      return tale;
    });
    const [first, second] = tales;
    const { values } = compare(first ?? assert.fail(), second ?? assert.fail());
    assert.deepEqual(
      values.map(({ hash, pcr }) => [hash, pcr]),
      [
        [TpmAlg.SHA256, 17],
        [TpmAlg.SHA256, 18],
      ],
    );
  });

  it("are the same as prediction and as log, of which each tells its part", () => {
    const prediction = taleOfPrediction(predict(good, BANKS));
    for (const [tale, pcrs] of [
      [log(firmwareLog), Array.from({ length: 17 }, (_, pcr) => pcr)],
      [log(launchLog), [17, 18, 19, 20, 21, 22]],
    ] as const) {
      const comparison = compare(prediction, tale);
      assert.deepEqual([comparison.differences, comparison.values], [[], []]);
      assert.deepEqual(pcrNumbers(comparison.pcrs), pcrs);
      assert.deepEqual(comparison.banks, [TpmAlg.SHA256, TpmAlg.SHA1]);
    }
    assert.equal(compareTales(log(firmwareLog), log(launchLog)), undefined);
  });

  it("are compared in the banks that both have", () => {
    const wide = taleOfPrediction(predict(good, [TpmAlg.SHA1, TpmAlg.SHA512]));
    assert.deepEqual(compare(wide, log(launchLog)).banks, [TpmAlg.SHA1]);
    const other = taleOfPrediction(predict(good, [TpmAlg.SHA512]));
    assert.equal(compareTales(other, log(launchLog)), undefined);
  });

  it("differ even in one bank alone, as when a digest was put there that is no hash of the file", () => {
    const events = (launchLog?.events ?? []).map((event) => ({
      ...event,
      digests: event.digests.map((one) =>
        one.hash === TpmAlg.SHA1 ? { ...one, digest: one.digest.map((byte) => byte ^ 1) } : one,
      ),
    }));
    const { differences, values } = compare(log(launchLog), log({ ...(launchLog ?? assert.fail()), events }));
    assert.ok(differences.length === 6 && differences.every(({ kind }) => kind === "changed"));
    assert.deepEqual([...new Set(values.map(({ hash }) => hash))], [TpmAlg.SHA1]);
  });

  it("tell a launch that did not happen by the ones in PCR 17 to 22", () => {
    const none = taleOfPrediction(predict(measurementsOf({ firmware: APU2.firmware }), BANKS));
    const { differences, values } = compare(log(launchLog), none);
    assert.deepEqual([...new Set(differences.map(({ kind }) => kind))], ["missing"]);
    assert.deepEqual(
      values.filter(({ hash }) => hash === TpmAlg.SHA256).map(({ pcr, after }) => [pcr, toHex(after)]),
      [17, 18, 19, 20, 21, 22].map((pcr) => [pcr, "ff".repeat(32)]),
    );
  });
});
