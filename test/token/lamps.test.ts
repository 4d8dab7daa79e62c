import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { nameLamps } from "../../hw/terminal/lamps.ts";
import { runLamps } from "../../token/lamps.ts";
import { seededRandom } from "../support/random.ts";

const PLATFORM = { id: "00", manufacturer: "m", productName: "p", serialNumber: "s" };
/** More timers than any of these stories needs; a clock that does not get on would need endless ones. */
const MAX_STEPS = 500;

describe("lamps on a clock that tells fractions of milliseconds", () => {
  for (const startMs of [0, 0.5, 3939.9786373693446, 4_294_967.1, 1e9 + 1 / 3]) {
    it(`get on and show whole blinks from ${startMs} ms`, () => {
      const clock = new VirtualClock(startMs);
      const shown: [number, string][] = [];
      const lamps = runLamps("v1", true, clock, {
        show: (now) => shown.push([Math.round(clock.now() - startMs), nameLamps(now)]),
      });
      lamps.tell({ type: "attached" });
      lamps.tell({ type: "platform-provisioned", platform: PLATFORM });
      let steps = 0;
      while (clock.step(startMs + 12_000)) assert.ok(steps++ < MAX_STEPS, `stuck at ${clock.now()}`);
      const lit = shown.filter(([, name]) => name !== "dark");
      assert.deepEqual(
        lit.map(([, name]) => name),
        ["green+red", "green", "green", "green", "green+red", "green+red"],
      );
      for (const [i, [at]] of shown.entries()) {
        const [until] = shown[i + 1] ?? [at];
        if (shown[i]?.[1] === "green") assert.ok(Math.abs(until - at - 100) <= 1, `${until - at} ms`);
      }
    });
  }

  it("get on from any instant", () => {
    const random = seededRandom(1);
    for (let run = 0; run < 200; run++) {
      const startMs = new DataView(random.bytes(8).buffer).getUint32(0) / 1000 + Math.PI;
      const clock = new VirtualClock(startMs);
      const lamps = runLamps("v1", true, clock, { show: () => undefined });
      lamps.tell({ type: "attached" });
      lamps.tell({ type: "platform-provisioned", platform: PLATFORM });
      let steps = 0;
      while (clock.step(startMs + 12_000)) assert.ok(steps++ < MAX_STEPS, `stuck at ${clock.now()}`);
    }
  });
});
