import assert from "node:assert/strict";
import { nameLamps } from "../../../hw/terminal/lamps.ts";
import type { LedEvent } from "../../../token/led/event.ts";
import { initialLeds, type LedState, lampsAt, next, nextChangeAt } from "../../../token/led/machine.ts";

type At = readonly [ms: number, type: Exclude<LedEvent["type"], "attested-sessions">];

/** What the lamps show while these events happen and until `to`, asked only where the machine says that they change. */
function timeline(provisioned: boolean, events: readonly At[], to: number): string {
  let state: LedState = initialLeds("v0", provisioned, 0);
  const runs: { name: string; from: number }[] = [];
  const left = [...events];
  for (let now = 0; now < to; ) {
    while (left[0]?.[0] === now) state = next(state, { type: left.shift()?.[1] ?? "detached" }, now);
    const name = nameLamps(lampsAt(state, now));
    if (runs.at(-1)?.name !== name) runs.push({ name, from: now });
    now = Math.min(nextChangeAt(state, now) ?? to, left[0]?.[0] ?? to, to);
  }
  return runs.map(({ name, from }, i) => `${name} ${(runs[i + 1]?.from ?? to) - from}`).join(", ");
}

describe("token/led: news that come faster than they blink", () => {
  it("token and platform provisioned at once: one green blink, then three, then the whole verdict", () => {
    const events: readonly At[] = [[0, "token-provisioned"], [30, "platform-provisioned"], [50, "attested"]]; // biome-ignore format: one list
    const blink = "green 100, dark 100";
    assert.equal(timeline(false, events, 12_000), `${[blink, blink, blink, blink].join(", ")}, green 10000, dark 1200`);
  });

  it("a wiped token that is provisioned at once still shows three green blinks for the wipe", () => {
    const events: readonly At[] = [[0, "wiped"], [20, "token-provisioned"], [40, "platform-refused"]]; // biome-ignore format: one list
    const [green, red] = ["green 100, dark 100", "red 100, dark 100"];
    assert.equal(
      timeline(true, events, 1400),
      [green, green, green, green, red, red].join(", ").concat(", red 100, dark 100"),
    );
  });

  it("what blinks is never further behind than four events", () => {
    const events = Array.from({ length: 100 }, (_, i): At => [i, "platform-provisioned"]);
    assert.match(timeline(true, events, 10_000), /dark 7700$/);
  });
});
