/** tpm2-tools have the same stories to tell of `fobnail tpm serve` and of swtpm. `npx tsx test/interop/tpm2-stories.ts` prints them side by side. */
import assert from "node:assert/strict";
import { needs } from "../support/programs.ts";
import type { Told } from "./tpm2/player.ts";
import { ok, prints, refused } from "./tpm2/story.ts";
import { compareStep, compareStory, stories } from "./tpm2-stories.ts";

const told = (step: Told["step"], verdict: Told["verdict"], printed = ""): Told => ({
  step,
  verdict,
  printed,
  complaint: "",
});

describe("stories of tpm2-tools", function () {
  this.timeout(120_000);

  before(function () {
    needs(this, "swtpm", "tpm2_getcap", "tpm2_activatecredential", "tpm2_makecredential", "tpm2_unseal");
  });

  it("are at least twelve, with fifty commands", () => {
    const lines = stories.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === "tool" ? [step.line] : [])));
    assert.ok(stories.length >= 12 && new Set(lines).size >= 50);
  });

  it("differ in a verdict, a response code, or what is printed", () => {
    const step = refused("unseal", 0x99d);
    assert.equal(compareStep(told(step, "0x99d"), told(step, "0x99d")).problem, undefined);
    assert.match(compareStep(told(step, "ok"), told(step, "0x99d")).problem ?? "", /^emulator: ok for 0x99d/);
    assert.match(compareStep(told(step, "0x99d"), told(step, "ok")).problem ?? "", /^swtpm: ok for 0x99d/);
    const any = refused("unseal");
    assert.match(compareStep(told(any, "0x98e"), told(any, "0x99d")).problem ?? "", /^emulator: 0x98e for 0x99d/);
    assert.match(compareStep(told(prints("x"), "ok", "1"), told(prints("x"), "ok", "2")).problem ?? "", /^prints/);
    assert.equal(compareStep(told(ok("x"), "ok", "1"), told(ok("x"), "ok", "2")).problem, undefined);
  });

  for (const story of stories) {
    it(story.name, async () => {
      const compared = await compareStory(story);
      const problems = compared.flatMap(({ step, problem }) =>
        problem === undefined ? [] : [`${step.line}: ${problem}`],
      );
      assert.deepEqual(problems, []);
    });
  }
});
