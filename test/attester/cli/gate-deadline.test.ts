import assert from "node:assert/strict";
import { createDeadline, inTime } from "../../../attester/cli/gate/deadline.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";

const late = () => new Error("late");
const never = () => new Promise<never>(() => undefined);

describe("the gate's deadline", () => {
  it("ends two seconds after the time for a verdict", async () => {
    const clock = new VirtualClock();
    const deadline = createDeadline(clock, 60_000);
    clock.advance(61_999);
    assert.equal(deadline.over.aborted, false);
    const waited = inTime(deadline, never(), late);
    clock.advance(1);
    await assert.rejects(waited, /late/);
  });

  it("comes two seconds after it was hastened, and no later than it would have come", () => {
    const clock = new VirtualClock();
    const early = createDeadline(clock, 60_000);
    const already = createDeadline(clock, 1_000);
    clock.advance(2_000);
    early.hasten();
    already.hasten();
    clock.advance(1_000);
    assert.deepEqual([early.over.aborted, already.over.aborted], [false, true]);
    clock.advance(1_000);
    assert.equal(early.over.aborted, true);
  });

  it("once lifted never comes, whoever hastens it", async () => {
    const clock = new VirtualClock();
    const deadline = createDeadline(clock, 1_000);
    deadline.lift();
    deadline.hasten();
    clock.advance(3_600_000);
    assert.equal(deadline.over.aborted, false);
    assert.equal(await inTime(deadline, Promise.resolve("passed"), late), "passed");
    await assert.rejects(inTime(deadline, Promise.reject(new Error("of its own")), late), /of its own/);
  });
});
