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

  it("of API v1 have a profile, steps and programs of their own", () => {
    const steps = [
      "- provision: token",
      "- provision: { what: platform, aik: reference, answer: 4.03 }",
      "- attest",
      "- write: { name: f, text: t }",
      "- read: { name: f, by: thief, answer: 4.10 }",
      "- watch: { every: 5s }",
      "- remove-platform",
      "- frames: { lose: 1, after: 2 }",
    ];
    const scenario = parse(`name: n\napi: v1\nsteps:\n${steps.join("\n")}\n`);
    assert.deepEqual([scenario.api, scenario.profile], ["v1", "strict"]);
    assert.deepEqual(
      scenario.steps.map(({ value }) => JSON.parse(JSON.stringify(value))),
      [
        { what: "token" },
        { what: "platform", aik: "reference", answer: "4.03" },
        { by: "attester" },
        { by: "attester", name: "f", text: "t" },
        { by: "thief", name: "f", answer: "4.10" },
        { by: "attester", every: 5000 },
        {},
        { lose: 1, damage: 0, double: 0, toward: "both", after: 2 },
      ],
    );
  });

  it("are of API v0 and profile compat where they do not say otherwise", () => {
    assert.equal(parse("name: n\nsteps: [plug]").api, "v0");
    assert.equal(parse("name: n\napi: v1\nprofile: compat\nsteps: [plug]").profile, "compat");
    assert.equal(parse("name: n\nprofile: strict\nsteps: [plug]").profile, "strict");
  });

  for (const [what, text, message] of [
    [
      "an alias of nothing",
      "name: n\nsteps:\n  - wait: *gone\n",
      /^my\.yaml:3: not YAML that can be read: Unresolved alias/,
    ],
    [
      "aliases that unfold into much",
      `name: &a n\nsteps:\n  - plug\nplatform: [${"*a, ".repeat(20)}*a]\n`,
      /^my\.yaml:4: not YAML that can be read: Excessive alias count/,
    ],
    ["an API that is none", "name: n\napi: v2\nsteps: [plug]", /^my\.yaml:2: api: must be v0 or v1/],
    [
      "a step of the other API",
      "name: n\nsteps:\n  - read: { name: f, text: t }\n",
      /^my\.yaml:3: step 1: "read" is not a step of api v0; steps are plug, /,
    ],
    [
      "a server of API v0 in v1",
      "name: n\napi: v1\nsteps:\n  - owner: stop\n",
      /^my\.yaml:4: step 1: "owner" is not a step of api v1; /,
    ],
    [
      "an answer that is no error",
      "name: n\napi: v1\nsteps:\n  - attest:\n      answer: 2.05\n",
      /^my\.yaml:5: step 1 \(attest\): answer: must be an error code such as 4\.03, or silent/,
    ],
    [
      "a file to write without content",
      "name: n\napi: v1\nsteps:\n  - write: { name: f }\n",
      /^my\.yaml:4: step 1 \(write\): needs text or bytes/,
    ],
    [
      "a file to read with content and answer",
      "name: n\napi: v1\nsteps:\n  - read: { name: f, text: t, answer: 4.04 }\n",
      /^my\.yaml:4: step 1 \(read\): needs text, bytes or answer/,
    ],
    [
      "a program without a name",
      "name: n\napi: v1\nsteps:\n  - kill\n",
      /^my\.yaml:4: step 1 \(kill\): must be the name of a program/,
    ],
    [
      "a PCR that only a launch extends",
      "name: n\napi: v1\nsteps:\n  - measure: { pcr: 17, text: t }\n",
      /^my\.yaml:4: step 1 \(measure\): pcr/,
    ],
    [
      "a provisioning of nothing",
      "name: n\napi: v1\nsteps:\n  - provision: all\n",
      /^my\.yaml:4: step 1 \(provision\): must be token or platform/,
    ],
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
