import assert from "node:assert/strict";
import { bootLogs, expectedPcr, type Measurement, measurementsOf, sampleLaunch } from "../../../attester/dlme/index.ts";
import { APU2 } from "../../../attester/platform/index.ts";
import { type LaunchStep, type LogSummary, summarize } from "../../../shared/event-log/index.ts";
import { DEFAULT_POLICY, type MismatchReason } from "../../../shared/protocol/index.ts";
import { ALL_PCRS, type PcrBank, TpmAlg } from "../../../shared/tpm/index.ts";
import { type ExplanationContext, explainDigest, policyDigest } from "../../../token/domain/explanation.ts";
import { fileCases, tamperCases } from "../../support/tamper-matrix.ts";

const inputs = { firmware: APU2.firmware, launch: sampleLaunch() };
const good = measurementsOf(inputs);

function logOf(list: readonly Measurement[]): LogSummary {
  const logs = bootLogs(list, [TpmAlg.SHA256]).map(({ events }) => events);
  return summarize(logs, TpmAlg.SHA256, ALL_PCRS);
}

function banksOf(list: readonly Measurement[]): readonly PcrBank[] {
  const values = Array.from({ length: 24 }, (_, pcr) => expectedPcr(list, TpmAlg.SHA256, pcr));
  return [{ hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS, values }];
}

const digestOf = (list: readonly Measurement[]) => policyDigest(banksOf(list), DEFAULT_POLICY) ?? assert.fail();
const context: ExplanationContext = {
  policy: DEFAULT_POLICY,
  reference: banksOf(good),
  enrolledLog: () => logOf(good),
};
const verdictOn = (list: readonly Measurement[]) => explainDigest(digestOf(list), logOf(list), context);

const LAUNCHED: readonly LaunchStep[] = [
  "loader",
  "bootloader-data",
  "kernel",
  "boot-parameters",
  "command-line",
  "initrd",
];
const reasonFor = (step: LaunchStep) =>
  (LAUNCHED.includes(step) ? `${step}-changed` : "firmware-changed") as MismatchReason;

/** The token, with the whole of a launch tampered with: PCRs as a TPM would hold them, the log as it would be written. */
describe("the tamper matrix, in verdicts", () => {
  for (const { name, measurements, kind, pcr, steps, launched } of tamperCases(good)) {
    it(`${name}: ${launched ? `${kind} ${steps.join(" or ")}` : "no-dynamic-launch"}`, () => {
      assert.notDeepEqual(digestOf(measurements), digestOf(good), "it would be green");
      const { reason, pcrs, difference } = verdictOn(measurements);
      assert.ok(pcrs?.includes(pcr));
      assert.equal(difference?.pcr, pcr);
      if (!launched) return assert.equal(reason, "no-dynamic-launch");
      assert.equal(difference.kind, kind);
      assert.ok(steps.some((step) => step === difference.step));
      const [step = "other"] = steps.filter((one) => one === difference.step);
      if (kind !== "added") assert.equal(reason, reasonFor(step));
      else assert.ok(reason === "pcr-mismatch" || (reason === "firmware-changed" && pcr < 8));
    });
  }

  for (const { name, files, steps } of fileCases(inputs.launch)) {
    it(`on the disk, ${name}`, () => {
      const list = measurementsOf({ ...inputs, launch: files });
      if (steps.length === 0) return assert.deepEqual(digestOf(list), digestOf(good));
      const [first] = steps;
      const cause = steps.includes("initrd") ? "initrd" : first;
      const { reason, difference } = verdictOn(list);
      assert.equal(difference?.step, cause);
      assert.equal(reason, reasonFor(cause ?? "other"));
    });
  }
});
