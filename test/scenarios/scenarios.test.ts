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
  const { verdict, lamps, platforms, event, timeline, log, sessions, files } = expected;
  if (verdict !== undefined) return { ...expected, verdict: verdict === "trusted" ? "refused" : "trusted" };
  if (timeline !== undefined)
    return { ...expected, timeline: timeline.map((entry) => ({ ...entry, for: entry.for + 1 })) };
  if (event !== undefined) return { ...expected, event: "never-seen" };
  if (platforms !== undefined) return { ...expected, platforms: platforms + 1 };
  if (sessions !== undefined) return { ...expected, sessions: sessions + 1 };
  if (files !== undefined) return { ...expected, files: files + 1 };
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

/** Steps of host programs whose outcome is looked at: what they write as `answer`, they got. */
const ASKING: ReadonlySet<string> = new Set([
  "provision",
  "attest",
  "write",
  "read",
  "remove",
  "replay",
  "rename-platform",
  "remove-platform",
]);

/** The same scenario, one for each step that asks the token, with another answer expected of that step; nothing after it is run. */
function withOtherAnswers(scenario: Scenario): readonly { readonly scenario: Scenario; readonly line: number }[] {
  return scenario.steps.flatMap((step, i) => {
    if (!ASKING.has(step.name)) return [];
    const { text: _, bytes: __, ...value } = step.value as Record<string, unknown>;
    const kept = step.name === "write" ? (step.value as Record<string, unknown>) : value;
    const other = { ...step, value: { ...kept, answer: OTHER_ANSWER } } as Step;
    return [{ scenario: { ...scenario, steps: [...scenario.steps.slice(0, i), other] }, line: step.line }];
  });
}

/** Of which nothing in the protocol is ever the answer. */
const OTHER_ANSWER = "5.04";

describe("scenarios", function () {
  this.timeout(60_000);

  for (const [api, atLeast] of [
    ["v0", 20],
    ["v1", 15],
  ] as const) {
    it(`${atLeast} at least of API ${api} are shipped`, () => {
      const count = files.filter((file) => loadScenario(`test/scenarios/${file}`).api === api).length;
      assert.ok(count >= atLeast, `${count}`);
    });
  }

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

  for (const file of files) {
    const scenario = loadScenario(`test/scenarios/${file}`);
    if (scenario.api !== "v1") continue;
    it(`${file} fails when the answer to its last program is another one`, async () => {
      const other = withOtherAnswers(scenario).at(-1) ?? assert.fail("no program");
      const { failure } = await runOne(other.scenario, { realTime: false, seed: 1 });
      assert.match(failure ?? "it held", new RegExp(`${file}:${other.line}: step \\d+ \\(.*5\\.04 expected`));
    });
  }

  it("notice another answer at every step of the longest story", async () => {
    for (const other of withOtherAnswers(loadScenario("test/scenarios/38-v1-second-platform.yaml"))) {
      const { failure } = await runOne(other.scenario, { realTime: false, seed: 1 });
      assert.match(failure ?? "it held", new RegExp(`:${other.line}: step \\d+ \\(.*5\\.04 expected`));
    }
  });

  it("notice another content of a file", async () => {
    const scenario = loadScenario("test/scenarios/28-v1-disk-key.yaml");
    const at = scenario.steps.findLastIndex(({ name }) => name === "read");
    for (const [value, seen] of [
      [{ bytes: 4095 }, /expected in disk\.key/],
      [{ text: ["one", "another"] }, /"one" or "another" expected in disk\.key/],
    ] as const) {
      const steps = scenario.steps.map((step, i): Step => {
        if (i !== at || step.name !== "read") return step;
        return { ...step, value: { by: "attester", name: "disk.key", answer: undefined, ...value } } as Step;
      });
      const { failure } = await runOne({ ...scenario, steps }, { realTime: false, seed: 1 });
      assert.match(failure ?? "it held", seen);
    }
  });

  it("hold with keys and faults of any seed", async () => {
    for (const file of files.filter((name) => /lost-frames|damaged|walk-through/.test(name))) {
      for (const seed of [2, 3, 5, 8]) {
        const { failure } = await runOne(loadScenario(`test/scenarios/${file}`), { realTime: false, seed });
        assert.equal(failure, undefined, `${file} with seed ${seed}`);
      }
    }
  });
});
