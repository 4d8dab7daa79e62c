import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { jsonStage } from "../../attester/cli/demo/stage.ts";
import { playDemo } from "../../attester/cli/demo/story.ts";
import { runOne } from "../../attester/cli/scenario/command.ts";
import { loadScenario } from "../../attester/cli/scenario/load.ts";
import { virtualPace } from "../../attester/cli/twin/pace.ts";
import { sourceFor } from "../../attester/cli/twin/setup.ts";
import { needs } from "../support/programs.ts";
import { type Swtpm, startSwtpm } from "../support/swtpm.ts";

/** These wait for the TPM's own clock, which does not follow virtual time. */
const WAIT_FOR_THE_TPM = ["14-unsafe-clock.yaml", "24-tpm-reset-while-running.yaml"];

describe("the twin on swtpm", function () {
  this.timeout(120_000);
  let swtpm: Swtpm;
  let tpm: string;

  before(async function () {
    needs(this, "swtpm");
    swtpm = await startSwtpm();
    tpm = swtpm.spec;
  });

  after(() => swtpm?.stop());

  it("plays the demo with every verdict as expected", async () => {
    const lines: string[] = [];
    const stage = jsonStage({ write: (text: string) => lines.push(text) });
    const held = await playDemo({ pace: virtualPace(), source: sourceFor(undefined), seeded: false, tpm, stage });
    assert.equal(held, true, lines.at(-1));
  });

  for (const file of readdirSync("test/scenarios").filter((name) => name.endsWith(".yaml"))) {
    if (WAIT_FOR_THE_TPM.includes(file)) continue;
    it(`holds ${file}`, async () => {
      const { failure } = await runOne(loadScenario(`test/scenarios/${file}`), { realTime: false, tpm });
      assert.equal(failure, undefined);
    });
  }
});
