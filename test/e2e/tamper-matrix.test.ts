import assert from "node:assert/strict";
import { virtualPace } from "../../attester/cli/twin/pace.ts";
import { ownerForTwin, seededSource, tpmForTwin } from "../../attester/cli/twin/setup.ts";
import { Twin } from "../../attester/cli/twin/twin.ts";
import { measurementsOf, sampleLaunch } from "../../attester/dlme/index.ts";
import { APU2 } from "../../attester/platform/index.ts";
import type { NotTrusted } from "../../token/domain/events.ts";
import { fileCases, type TamperCase, tamperCases } from "../support/tamper-matrix.ts";

const LIMIT_MS = 30_000;
/** Within it a session ends whose program is gone. */
const SESSION_END_MS = 3_500;

const inputs = { firmware: APU2.firmware, launch: sampleLaunch() };
const good = measurementsOf(inputs);
const launchSteps = ["loader", "bootloader-data", "kernel", "boot-parameters", "command-line", "initrd"];

/** The word of a verdict whose first difference is of this kind in this step. An added event is nobody's step. */
function reasonsOf({ kind, steps, pcr, launched }: TamperCase): readonly string[] {
  if (!launched) return ["no-dynamic-launch"];
  if (kind === "added") return pcr < 8 ? ["firmware-changed", "pcr-mismatch"] : ["pcr-mismatch"];
  return steps.map((step) => (launchSteps.includes(step) ? `${step}-changed` : "firmware-changed"));
}

/** Token, stick, link, attester and TPM in one process: enrolled once, then booted in every wrong way. */
describe("the tamper matrix, from boot to lamp", function () {
  this.timeout(120_000);
  let twin: Twin;
  let closeTpm: () => Promise<void>;

  before(async () => {
    const [pace, source] = [virtualPace(), seededSource(23)];
    const tpm = await tpmForTwin(undefined, source, pace);
    closeTpm = () => tpm.close();
    const random = (part: string) => source.random(part);
    const options = { calendar: source.calendar, owner: ownerForTwin(source), ekRoot: tpm.ekRoot, platform: APU2 };
    twin = new Twin({ api: "v1", pace, random, tpm, profile: "strict", key: "ecc", ...options });
    await twin.boot(inputs.launch, { launch: true, power: "orderly" });
    twin.plug();
    await twin.pace.advance(1_000);
    assert.ok((await twin.finish(twin.programs.provisionToken(), LIMIT_MS))?.ok);
    assert.ok((await twin.finish(twin.programs.provisionPlatform("attester", twin.platform, {}), LIMIT_MS))?.ok);
    assert.ok(!twin.events.some(({ type }) => type === "log-refused"), "enrolled with its log");
  });

  after(async () => {
    await twin.close();
    await closeTpm();
  });

  /** One attestation of what was booted. */
  async function attest(): Promise<void> {
    await twin.pace.advance(SESSION_END_MS);
    twin.forgetEvents();
    await twin.finish(twin.programs.attest("attester", twin.platform, {}), LIMIT_MS);
  }

  function red(): NotTrusted {
    const { verdict, lamps } = twin;
    assert.ok(verdict?.trusted === false, "it is not red");
    assert.ok(lamps.red && !lamps.green, "the lamp is not red");
    return verdict;
  }

  async function isGreen(): Promise<void> {
    await attest();
    assert.equal(twin.verdict?.trusted, true);
    assert.ok(twin.lamps.green);
  }

  it("is green as recorded, before and after all of them", async () => {
    await twin.bootAs(good, "orderly");
    await isGreen();
  });

  for (const one of tamperCases(good)) {
    it(`red: ${one.name}`, async () => {
      await twin.bootAs(one.measurements, "orderly", { mayDisagree: !one.launched });
      await attest();
      const { reason, pcrs, difference } = red();
      assert.ok(reasonsOf(one).includes(reason), reason);
      assert.ok(pcrs?.includes(one.pcr), `PCRs ${pcrs?.join()}`);
      // Without a launch something else stands where the CPU's event stood: to the token another loader.
      assert.deepEqual([difference?.kind, difference?.pcr], [one.launched ? one.kind : "changed", one.pcr]);
      assert.ok(
        one.steps.some((step) => step === difference?.step),
        difference?.step,
      );
    });
  }

  for (const { name, files, steps } of fileCases(inputs.launch)) {
    it(`${steps.length === 0 ? "green" : "red"}: on the disk, ${name}`, async () => {
      await twin.boot(files, { launch: true, power: "orderly" });
      if (steps.length === 0) return isGreen();
      await attest();
      // An initrd of another size stands in the boot parameters, too, of which it is the cause.
      const cause = steps.find((step) => step === "initrd") ?? steps[0];
      assert.equal(red().reason, `${cause}-changed`);
    });
  }

  it("red: no launch at all", async () => {
    await twin.boot(inputs.launch, { launch: false, power: "orderly" });
    await attest();
    assert.equal(red().reason, "no-dynamic-launch");
  });

  it("is green again", async () => {
    await twin.bootAs(good, "orderly");
    await isGreen();
  });
});
