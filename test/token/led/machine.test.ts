import assert from "node:assert/strict";
import fc from "fast-check";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import type { LedEvent } from "../../../token/led/event.ts";
import { initialLeds, type LedState, lampsAt, next, nextChangeAt } from "../../../token/led/machine.ts";

type Bare = Exclude<LedEvent["type"], "attested-sessions">;
/** A number: so many attested sessions live from then on. */
type At = readonly [ms: number, what: Bare | number];

function eventOf(what: Bare | number): LedEvent {
  return typeof what === "number" ? { type: "attested-sessions", count: what } : { type: what };
}

function stateAfter(api: "v0" | "v1", provisioned: boolean, events: readonly At[]): LedState {
  return events.reduce((state, [at, what]) => next(state, eventOf(what), at), initialLeds(api, provisioned, 0));
}

/** The lamps as runs: `green 100, dark 100, ...`, sampled every 10 ms. */
function timeline(state: LedState, from: number, to: number): string {
  const runs: { name: string; ms: number }[] = [];
  for (let now = from; now < to; now += 10) {
    const name = nameLamps(lampsAt(state, now));
    const last = runs.at(-1);
    if (last?.name === name) last.ms += 10;
    else runs.push({ name, ms: 10 });
  }
  return runs.map(({ name, ms }) => `${name} ${ms}`).join(", ");
}

describe("token/led API v1", () => {
  it("not provisioned: red on", () => {
    assert.equal(timeline(stateAfter("v1", false, []), 0, 20_000), "red 20000");
  });

  it("idle: both 100 ms every 5 s, starting with the blink", () => {
    assert.equal(timeline(stateAfter("v1", true, []), 0, 10_000), "green+red 100, dark 4900, green+red 100, dark 4900");
  });

  it("token provisioned: green once; idle begins then", () => {
    const state = stateAfter("v1", false, [[1000, "token-provisioned"]]);
    assert.equal(timeline(state, 1000, 6100), "green 100, dark 4900, green+red 100");
  });

  it("platform provisioned: green three times", () => {
    const state = stateAfter("v1", true, [[1000, "platform-provisioned"]]);
    assert.equal(timeline(state, 1000, 2000), "green 100, dark 100, green 100, dark 100, green 100, dark 500");
  });

  it("platform refused: no signal", () => {
    assert.deepEqual(stateAfter("v1", true, [[1000, "platform-refused"]]), stateAfter("v1", true, []));
  });

  it("attested: green as long as a session lives, whatever else fails", () => {
    const state = stateAfter("v1", true, [
      [0, 1],
      [0, "attested"],
      [50, "attested"],
      [100, 2],
      [100, "attested"],
      [200, 1],
      [300, "attestation-failed"],
    ]);
    assert.equal(timeline(state, 300, 20_000), "green+red 5000, green 14700");
    const ended = next(state, eventOf(0), 20_000);
    assert.equal(timeline(ended, 20_000, 25_000), "green+red 100, dark 4900");
  });

  it("attestation failed: red 5 s, then idle, which starts with its blink", () => {
    const state = stateAfter("v1", true, [[1000, "attestation-failed"]]);
    assert.equal(timeline(state, 1000, 10_000), "red 5000, green+red 100, dark 3900");
  });

  it("another client's provisioning does not turn off the green of an attested session", () => {
    const state = stateAfter("v1", true, [
      [0, 1],
      [1000, "attestation-failed"],
      [1050, "platform-provisioned"],
    ]);
    assert.equal(timeline(state, 1050, 10_000), "green+red 4950, green 4000");
  });

  it("wiped: three green, then as not provisioned", () => {
    const state = stateAfter("v1", true, [
      [0, 1],
      [1000, "wiped"],
    ]);
    assert.equal(
      timeline(state, 1000, 3000),
      "green 100, dark 100, green 100, dark 100, green 100, dark 100, red 1400",
    );
  });
});

describe("token/led API v0", () => {
  it("a verdict shows ten seconds, then dark; no idle blink", () => {
    assert.equal(timeline(stateAfter("v0", true, [[1000, "attested"]]), 1000, 30_000), "green 10000, dark 19000");
    assert.equal(
      timeline(stateAfter("v0", true, [[1000, "attestation-failed"]]), 1000, 30_000),
      "red 10000, dark 19000",
    );
    assert.equal(timeline(stateAfter("v0", true, []), 0, 30_000), "dark 30000");
  });

  it("a new verdict takes the place of the old one", () => {
    const state = stateAfter("v0", true, [
      [0, "attested"],
      [4000, "attestation-failed"],
    ]);
    assert.equal(timeline(state, 4000, 20_000), "red 10000, dark 6000");
  });

  it("without power it is dark, provisioned or not, whatever happens; plugged in again it begins anew", () => {
    const blank = stateAfter("v0", false, [
      [0, "detached"],
      [10, "wiped"],
    ]);
    assert.equal(timeline(blank, 10, 5010), "dark 5000");
    assert.equal(timeline(next(blank, { type: "attached" }, 6000), 6000, 7000), "red 1000");
  });

  it("unplugging ends the verdict", () => {
    const state = stateAfter("v0", true, [
      [0, "attested"],
      [4000, "detached"],
    ]);
    assert.equal(timeline(state, 4000, 20_000), "dark 16000");
  });

  it("platform provisioning blinks three times, green or red; the verdict after it shows its whole time", () => {
    const good = stateAfter("v0", true, [
      [0, "platform-provisioned"],
      [50, "attested"],
    ]);
    assert.equal(
      timeline(good, 0, 12_000),
      "green 100, dark 100, green 100, dark 100, green 100, dark 100, green 10000, dark 1400",
    );
    const bad = stateAfter("v0", true, [[0, "platform-refused"]]);
    assert.equal(timeline(bad, 0, 1000), "red 100, dark 100, red 100, dark 100, red 100, dark 500");
  });
});

describe("token/led any history", () => {
  const types = [
    "token-provisioned",
    "platform-provisioned",
    "platform-refused",
    "attested",
    "attestation-failed",
    0,
    1,
    2,
    "attached",
    "detached",
    "wiped",
  ] as const;
  const history = fc.array(fc.tuple(fc.nat(3000), fc.constantFrom(...types)), { maxLength: 8 });

  it("nextChangeAt never misses a change, and asking is free of order", () => {
    fc.assert(
      fc.property(fc.constantFrom("v0" as const, "v1" as const), fc.boolean(), history, (api, provisioned, steps) => {
        let at = 0;
        const events = steps.map(([gap, type]): At => {
          at += gap;
          return [at, type];
        });
        const state = stateAfter(api, provisioned, events);
        for (let now = at; now < at + 12_000; ) {
          const change = nextChangeAt(state, now);
          assert.ok(change === undefined || change > now);
          const until = Math.min(change ?? at + 12_000, at + 12_000);
          const lamps = lampsAt(state, now);
          for (let t = until - 1; t > now; t -= 17) assert.deepEqual(lampsAt(state, t), lamps);
          now = until;
        }
      }),
      { numRuns: 100 },
    );
  });
});
