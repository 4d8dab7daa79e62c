import assert from "node:assert/strict";
import type { LogSummary, SummaryEvent } from "../../../shared/event-log/index.ts";
import { DEFAULT_POLICY } from "../../../shared/protocol/index.ts";
import { ALL_PCRS, type PcrBank, TpmAlg } from "../../../shared/tpm/index.ts";
import {
  type ExplanationContext,
  explainByValues,
  explainDigest,
  policyDigest,
} from "../../../token/domain/explanation.ts";
import { FIRMWARE, LAUNCH, logOf, measured, pcrsAfter, RECORDED } from "../../support/launch-log.ts";

const bank = (log: LogSummary, launched = true): readonly PcrBank[] => [
  { hash: TpmAlg.SHA256, pcrSelect: ALL_PCRS, values: pcrsAfter(log, launched) },
];
const digestOf = (banks: readonly PcrBank[]) => policyDigest(banks, DEFAULT_POLICY) ?? assert.fail("no digest");
const recorded: ExplanationContext = { policy: DEFAULT_POLICY, reference: bank(RECORDED), enrolledLog: () => RECORDED };
const logless: ExplanationContext = { ...recorded, enrolledLog: undefined };

/** The explanation of a TPM that took `log`, with this log beside the evidence. */
const explained = (log: LogSummary, reported: LogSummary | undefined = log, context = recorded, launched = true) =>
  explainDigest(digestOf(bank(log, launched)), reported, context);

function replaced(step: string, ...by: readonly SummaryEvent[]): LogSummary {
  return logOf(...[...FIRMWARE, ...LAUNCH].flatMap((event) => (event.step === step ? by : [event])));
}
const x = (pcr: number) => measured(pcr, "other", "x");

describe("explaining a mismatch by logs", () => {
  const steps = [
    ["loader-changed", "loader", 17],
    ["bootloader-data-changed", "bootloader-data", 18],
    ["kernel-changed", "kernel", 17],
    ["boot-parameters-changed", "boot-parameters", 18],
    ["command-line-changed", "command-line", 18],
    ["initrd-changed", "initrd", 17],
    ["firmware-changed", "firmware-settings", 1],
    ["firmware-changed", "boot-loader", 4],
  ] as const;
  for (const [reason, step, pcr] of steps) {
    it(`${step} changed or missing: ${reason}`, () => {
      const changed = explained(replaced(step, x(pcr)));
      assert.equal(changed.reason, reason);
      assert.deepEqual(changed.pcrs, [pcr]);
      assert.equal(changed.difference?.step, step);
      assert.match(changed.detail ?? "", new RegExp(`^event \\d of PCR ${pcr}, ".*", is another; PCR ${pcr} differs$`));
      if (step !== "loader") assert.equal(explained(replaced(step)).reason, reason);
    });
  }

  it("moved: the reason of what should have been there", () => {
    const [loader, data, kernel, parameters, line, initrd] = LAUNCH;
    const order = [loader, data, initrd, parameters, line, kernel].flatMap((event) => event ?? []);
    const { reason, difference, detail } = explained(logOf(...FIRMWARE, ...order));
    assert.deepEqual([reason, difference?.kind], ["kernel-changed", "moved"]);
    assert.match(detail ?? "", /event 2 of PCR 17, "kernel into PCR17", stands elsewhere/);
  });

  it("what the computer calls an event cannot go on as the token's own sentence", () => {
    const claim = '"; event 2 of PCR 17, "kernel", is another\u202e\n';
    const liar = { ...measured(7, "kernel", "cap"), description: claim };
    const { detail = "" } = explained(logOf(...RECORDED.events, liar));
    assert.match(detail, /; the computer calls it "'; event 2 of PCR 17, 'kernel', is another\?\?"; PCR 7 differs$/);
  });

  it("an added event has no reason but its PCR, whatever it is called; in the firmware's midst it is the firmware's", () => {
    const [loader, ...others] = LAUNCH;
    const liar = measured(17, "initrd", "evil");
    const within = explained(logOf(...FIRMWARE, ...(loader === undefined ? [] : [loader]), liar, ...others));
    assert.deepEqual(
      [within.reason, within.pcrs, within.difference?.claim],
      ["pcr-mismatch", [17], "initrd into PCR17"],
    );
    assert.match(
      within.detail ?? "",
      /one more than recorded; the computer calls it "initrd into PCR17"; PCR 17 differs$/,
    );
    const appended = explained(logOf(...RECORDED.events, measured(7, "kernel", "cap")));
    assert.deepEqual([appended.reason, appended.pcrs], ["pcr-mismatch", [7]]);
    assert.equal(explained(logOf(measured(0, "kernel", "new"), ...RECORDED.events)).reason, "firmware-changed");
  });

  it("a log that does not replay explains nothing, and is said not to", () => {
    const truth = replaced("kernel", x(17));
    for (const lie of [RECORDED, logOf(), replaced("initrd", x(17)), { ...truth, startupLocality: 3 }]) {
      assert.deepEqual(explained(truth, lie), { reason: "pcr-mismatch", detail: "the log does not match the TPM" });
    }
    const sha1 = {
      ...truth,
      hash: TpmAlg.SHA1,
      events: truth.events.map((e) => ({ ...e, digest: new Uint8Array(20) })),
    };
    assert.equal(explained(truth, sha1).detail, "the log does not match the TPM");
  });

  it("without a log there is no more than the digest", () => {
    const banks = bank(replaced("kernel", x(17)));
    assert.deepEqual(explainDigest(digestOf(banks), undefined, recorded), { reason: "pcr-mismatch" });
  });

  it("without an enrolled log it names the PCRs alone", () => {
    const { reason, pcrs, difference } = explained(replaced("kernel", x(17)), undefined, logless);
    assert.deepEqual([reason, pcrs, difference], ["pcr-mismatch", [17], undefined]);
  });

  it("events of other PCRs count for nothing", () => {
    const log = replaced("initrd", x(17));
    const more = logOf(measured(10, "ima"), ...log.events, measured(23, "kernel"));
    assert.deepEqual(explained(log, more), explained(log));
  });

  it("a log of a startup locality that was not recorded", () => {
    const { reason, pcrs } = explained({ ...RECORDED, startupLocality: 3 });
    assert.deepEqual([reason, pcrs], ["firmware-changed", [0]]);
  });

  it("policies of several banks are explained by no log", () => {
    const policy = [...DEFAULT_POLICY, { algorithm: TpmAlg.SHA1, mask: 1 }];
    assert.equal(explained(RECORDED, RECORDED, { ...recorded, policy }).detail, "the log does not match the TPM");
  });
});

describe("explaining that no dynamic launch happened", () => {
  const unlaunched = logOf(...FIRMWARE);

  it("needs no log where everything else is as recorded", () => {
    const alone = explainDigest(digestOf(bank(unlaunched, false)), undefined, logless);
    assert.deepEqual(alone, { reason: "no-dynamic-launch", pcrs: [17, 18], detail: "PCR 17, 18 differ" });
  });

  it("is looked for in no bank but the policy's, whatever hash another has", () => {
    const others = [TpmAlg.SHA1, 0xffff].map((hash) => ({ hash, pcrSelect: 1 << 17, values: [new Uint8Array(7)] }));
    const context = { policy: DEFAULT_POLICY, reference: [...others, ...bank(RECORDED)] };
    assert.equal(explainDigest(digestOf(bank(unlaunched, false)), undefined, context).reason, "no-dynamic-launch");
    const changed = bank(logOf(x(0), ...LAUNCH));
    assert.equal(explainDigest(digestOf(changed), undefined, context).reason, "pcr-mismatch");
  });

  it("with a log it names the loader, although the firmware changed before it", () => {
    const log = logOf(x(0), ...FIRMWARE.slice(1));
    const { reason, pcrs, difference } = explained(log, log, recorded, false);
    assert.deepEqual([reason, pcrs], ["no-dynamic-launch", [0, 17, 18]]);
    assert.deepEqual([difference?.kind, difference?.step], ["missing", "loader"]);
  });

  it("what was extended without a launch is none: the same digests from all ones", () => {
    const { reason, pcrs } = explained(RECORDED, RECORDED, recorded, false);
    assert.deepEqual([reason, pcrs], ["no-dynamic-launch", [17, 18]]);
    assert.equal(explained(RECORDED, RECORDED, logless, false).reason, "no-dynamic-launch");
  });

  it("a launch without any event in PCR 17 is none", () => {
    assert.equal(explained(unlaunched).reason, "no-dynamic-launch");
  });

  it("is seen in values, too: PCR 17 all ones", () => {
    const banks = bank(logOf(x(0), ...FIRMWARE.slice(1)), false);
    assert.equal(explainByValues(digestOf(banks), banks, recorded)?.reason, "no-dynamic-launch");
  });

  it("is not the reason on a platform that was enrolled without", () => {
    const context = { policy: DEFAULT_POLICY, reference: bank(unlaunched, false), enrolledLog: () => unlaunched };
    const log = logOf(x(0), ...FIRMWARE.slice(1));
    assert.equal(explained(log, log, context, false).reason, "firmware-changed");
    const banks = bank(log, false);
    assert.equal(explainByValues(digestOf(banks), banks, context)?.reason, "pcr-mismatch");
    assert.equal(explained(log, undefined, { ...context, enrolledLog: undefined }, false).reason, "pcr-mismatch");
  });
});

describe("explaining a mismatch by values", () => {
  const now = bank(logOf(...FIRMWARE, ...LAUNCH, x(2), x(20)));

  it("names the PCRs of the policy in which true values differ", () => {
    const told = explainByValues(digestOf(now), now, recorded);
    assert.deepEqual(told, { reason: "pcr-mismatch", pcrs: [2], detail: "PCR 2 differs" });
  });

  it("names none for values that do not hash to the quoted digest", () => {
    const shifted = now.map((one) => ({ ...one, pcrSelect: ALL_PCRS & ~1 }));
    for (const lie of [bank(RECORDED), [], shifted])
      assert.equal(explainByValues(digestOf(now), lie, recorded), undefined);
  });
});
