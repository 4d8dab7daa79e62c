import assert from "node:assert/strict";
import { junitReport } from "../../../attester/cli/scenario/junit.ts";
import { loadScenario, parseScenario, ScenarioFileError } from "../../../attester/cli/scenario/load.ts";

const parse = (text: string) => parseScenario(text, "my.yaml");

describe("scenario files", () => {
  it("are read with their defaults, and know the line of each step", () => {
    const scenario = parse("name: n\nsteps:\n  - plug\n  - boot: { kernel: other }\n  - wait: 1.5s\n  - press: 2m\n");
    assert.deepEqual([scenario.profile, scenario.key, scenario.platform], ["compat", "rsa", "apu2"]);
    assert.deepEqual(
      scenario.steps.map(({ name, line }) => [name, line]),
      [
        ["plug", 3],
        ["boot", 4],
        ["wait", 5],
        ["press", 6],
      ],
    );
    const [, boot, wait, press] = scenario.steps;
    assert.deepEqual(boot?.value, { kernel: "other", launch: true, power: "orderly" });
    assert.deepEqual([wait?.value, press?.value], [1500, 120_000]);
  });

  for (const [what, text, message] of [
    ["no YAML", "name: [", /^my\.yaml:\d+: not YAML/],
    ["a key twice", "name: a\nname: b\nsteps: [plug]", /^my\.yaml:2: not YAML/],
    ["no map", "- plug", /^my\.yaml:1: a scenario is a map/],
    ["no name", "steps: [plug]", /^my\.yaml:1: .*name/],
    ["a key that is none", "name: n\nspeed: 9\nsteps: [plug]", /^my\.yaml:\d: .*speed/],
    ["no steps", "name: n\nsteps: []", /^my\.yaml:2: steps: must be a list/],
    [
      "an unknown step",
      "name: n\nsteps:\n  - plug\n  - plgu\n",
      /^my\.yaml:4: step 2: "plgu" is not a step; steps are plug, /,
    ],
    ["a step with two names", "name: n\nsteps:\n  - { plug: , unplug: }\n", /^my\.yaml:3: step 1: must be a name/],
    ["a step without its value", "name: n\nsteps:\n  - wait\n", /^my\.yaml:3: step 1 \(wait\): must be a duration/],
    [
      "a wrong duration",
      "name: n\nsteps:\n  - plug\n  - wait: 10\n",
      /^my\.yaml:4: step 2 \(wait\): must be a duration/,
    ],
    ["a day too long", "name: n\nsteps:\n  - wait: 2000m\n", /^my\.yaml:3: .*24 hours/],
    ["a wrong key within", "name: n\nsteps:\n  - boot:\n      kernal: x\n", /^my\.yaml:\d: step 1 \(boot\): .*kernal/],
    [
      "a wrong value within",
      "name: n\nsteps:\n  - expect:\n      verdict: ok\n",
      /^my\.yaml:4: step 1 \(expect\): verdict/,
    ],
    ["an expectation of nothing", "name: n\nsteps:\n  - expect: { within: 5s }\n", /expects nothing/],
    ["a PCR that does not exist", "name: n\nsteps:\n  - expect: { pcrs: [24] }\n", /^my\.yaml:3: .*pcrs/],
  ] as const) {
    it(`refuse ${what} with file, line and step`, () => {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof ScenarioFileError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  it("say so when they are not there", () => {
    assert.throws(() => loadScenario("no/such.yaml"), /no\/such\.yaml is not there/);
  });

  it("refuse a file of any size that is not meant for people", () => {
    assert.throws(() => parse(`name: ${"x".repeat(300_000)}`), /over 262144 bytes/);
  });
});

describe("JUnit report", () => {
  it("escapes what people and peers wrote", () => {
    const scenario = parse('name: "a <b> & \\"c\\""\nsteps: [plug]');
    const xml = junitReport([
      { scenario, twinMs: 1, wallMs: 1500 },
      { scenario, twinMs: 1, wallMs: 500, failure: "my.yaml:2: 'x' \u0007 < y" },
    ]);
    assert.match(xml, /tests="2" failures="1" time="2\.000"/);
    assert.match(xml, /name="a &lt;b&gt; &amp; &quot;c&quot;"/);
    assert.match(xml, /<failure message="my\.yaml:2: &apos;x&apos; {2}&lt; y"\/>/);
  });
});
