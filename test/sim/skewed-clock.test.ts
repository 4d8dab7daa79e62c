import assert from "node:assert/strict";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import { SkewedClock } from "./skewed-clock.ts";

function clocks() {
  const world = new VirtualClock();
  const skewed = new SkewedClock(world);
  const seen: string[] = [];
  const soon = (ms: number, what: string) => skewed.after(ms, () => seen.push(`${what} ${world.now()}`));
  return { world, skewed, seen, soon };
}

describe("a clock of the simulation that jumps and stands", () => {
  it("runs what became due in a jump at once, in its order, and the rest so much earlier", () => {
    const { world, skewed, seen, soon } = clocks();
    soon(300, "late");
    soon(200, "second");
    soon(100, "first");
    soon(200, "third");
    soon(250, "cancelled")();
    world.advance(50);
    skewed.jump(200);
    assert.deepEqual([skewed.now(), seen], [250, []], "never synchronously");
    world.advance(0);
    assert.deepEqual(seen, ["first 50", "second 50", "third 50"]);
    world.advance(50);
    assert.deepEqual([skewed.now(), skewed.wentMs(), seen.at(-1)], [300, 100, "late 100"]);
    assert.throws(() => skewed.jump(-1), RangeError);
  });

  it("stands still with its timers, and goes on from there", () => {
    const { world, skewed, seen, soon } = clocks();
    soon(100, "before");
    world.advance(40);
    skewed.stand();
    skewed.stand();
    soon(10, "within");
    world.advance(1_000);
    assert.deepEqual([skewed.now(), seen], [40, []]);
    skewed.jump(5);
    assert.deepEqual([skewed.now(), skewed.wentMs()], [40, 40]);
    skewed.go();
    skewed.go();
    assert.deepEqual([skewed.now(), skewed.wentMs()], [45, 40]);
    world.advance(5);
    assert.deepEqual([skewed.now(), seen], [50, ["within 1045"]]);
    world.advance(50);
    assert.deepEqual(seen, ["within 1045", "before 1095"]);
  });
});
