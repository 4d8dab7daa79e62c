import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { runOne } from "../../attester/cli/scenario/command.ts";
import { loadScenario } from "../../attester/cli/scenario/load.ts";
import type { Scenario, Step, StepValue } from "../../attester/cli/scenario/schema.ts";

const files = readdirSync("test/scenarios")
  .filter((name) => name.endsWith(".yaml"))
  .sort();

type Expected = StepValue<"expect">;

/** The same expectation with one thing in it that cannot hold too. */
function contradicted(expected: Expected): Expected {
  const { verdict, lamps, platforms, event, timeline, log } = expected;
  if (verdict !== undefined) return { ...expected, verdict: verdict === "trusted" ? "refused" : "trusted" };
  if (timeline !== undefined)
    return { ...expected, timeline: timeline.map((entry) => ({ ...entry, for: entry.for + 1 })) };
  if (event !== undefined) return { ...expected, event: "never-seen" };
  if (platforms !== undefined) return { ...expected, platforms: platforms + 1 };
  if (log !== undefined) return { ...expected, log: "a line that nobody writes" };
  return { ...expected, lamps: lamps === "green" ? "red" : "green" };
}

/** The scenario with its last expectation changed, and the line of it. */
function changed(scenario: Scenario): { readonly scenario: Scenario; readonly line: number } {
  const at = scenario.steps.findLastIndex(({ name, value }) => name === "expect" && lastsLongEnough(value as Expected));
  const steps = scenario.steps.map((step, i): Step => {
    return i === at && step.name === "expect" ? { ...step, value: contradicted(step.value) } : step;
  });
  return { scenario: { ...scenario, steps }, line: scenario.steps[at]?.line ?? assert.fail("no expectation") };
}

/** The last entry of a timeline is a lower bound only, so a longer one may hold too when it is alone. */
function lastsLongEnough({ timeline }: Expected): boolean {
  return timeline === undefined || timeline.length > 1;
}

describe("scenarios", function () {
  this.timeout(60_000);

  it("20 at least are shipped", () => {
    assert.ok(files.length >= 20, `${files.length}`);
  });

  for (const file of files) {
    const scenario = loadScenario(`test/scenarios/${file}`);

    it(`${file}: ${scenario.name}`, async () => {
      const { failure } = await runOne(scenario, { realTime: false, seed: 1 });
      assert.equal(failure, undefined);
    });

    it(`${file} fails when one expectation is changed`, async () => {
      const other = changed(scenario);
      const { failure } = await runOne(other.scenario, { realTime: false, seed: 1 });
      assert.match(failure ?? "it held", new RegExp(`${file}:${other.line}: step \\d+ \\(expect\\): `));
    });
  }

  it("hold with keys and faults of any seed", async () => {
    for (const file of files.filter((name) => /lost-frames|damaged|walk-through/.test(name))) {
      for (const seed of [2, 3, 5, 8]) {
        const { failure } = await runOne(loadScenario(`test/scenarios/${file}`), { realTime: false, seed });
        assert.equal(failure, undefined, `${file} with seed ${seed}`);
      }
    }
  });
});
