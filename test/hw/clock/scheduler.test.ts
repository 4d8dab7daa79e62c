import assert from "node:assert/strict";
import { Scheduler } from "../../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";

function trace() {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (what: string) => seen.push(`${clock.now()} ${what}`);
  return { clock, seen, note, scheduler: new Scheduler(clock) };
}

describe("hw/clock virtual", () => {
  it("runs timers by due time, then by the order of their making, never at once", () => {
    const { clock, seen, note } = trace();
    clock.after(10, () => note("b"));
    clock.after(5, () => note("a"));
    clock.after(10, () => note("c"));
    clock.after(0, () => note("zero"));
    assert.deepEqual(seen, []);
    clock.advance(10);
    assert.deepEqual(seen, ["0 zero", "5 a", "10 b", "10 c"]);
  });

  it("forgets a timer that was cancelled, also by another one at the same instant", () => {
    const { clock, seen, note } = trace();
    clock.after(5, () => cancel());
    const cancel = clock.after(5, () => note("cancelled"));
    clock.after(6, () => note("kept"));
    clock.advance(100);
    assert.deepEqual(seen, ["6 kept"]);
    assert.equal(clock.now(), 100);
    assert.equal(clock.nextDue(), undefined);
  });

  it("runs timers made by timers within the same stretch", () => {
    const { clock, seen, note } = trace();
    clock.after(5, () => clock.after(5, () => note("nested")));
    clock.advance(10);
    assert.deepEqual(seen, ["10 nested"]);
  });
});

describe("hw/clock scheduler", () => {
  it("lets microtasks run dry between timers", async () => {
    const { clock, seen, note, scheduler } = trace();
    clock.after(1, () => {
      let chain = Promise.resolve();
      for (let i = 0; i < 50; i++) chain = chain.then(() => undefined);
      void chain.then(() => note("chain"));
    });
    clock.after(2, () => note("timer"));
    await scheduler.advance(10);
    assert.deepEqual(seen, ["1 chain", "2 timer"]);
  });

  it("stands still while outside work is under way, also when that work fails", async () => {
    const { clock, seen, note, scheduler } = trace();
    const outside = (ok: boolean) =>
      new Promise<void>((resolve, reject) =>
        setImmediate(() => setImmediate(() => (ok ? resolve() : reject(new Error("no"))))),
      );
    clock.after(1, () => {
      scheduler.track(outside(true)).then(() => note("good"));
      scheduler.track(outside(false)).catch(() => note("bad"));
    });
    clock.after(2, () => note("timer"));
    await scheduler.advance(10);
    assert.deepEqual(seen, ["1 good", "1 bad", "2 timer"]);
  });

  it("stands still for a chain of outside work, each piece begun after the one before", async () => {
    const { clock, seen, note, scheduler } = trace();
    const outside = () => scheduler.track(new Promise<void>((resolve) => setImmediate(resolve)));
    clock.after(1, async () => {
      for (let i = 0; i < 5; i++) {
        await outside();
        await Promise.resolve();
      }
      note("chain");
    });
    clock.after(2, () => note("timer"));
    await scheduler.advance(10);
    assert.deepEqual(seen, ["1 chain", "2 timer"]);
  });

  it("stops at the instant the condition holds, or says that it never did", async () => {
    const { clock, note, seen, scheduler } = trace();
    clock.after(7, () => note("x"));
    assert.equal(await scheduler.until(() => seen.length > 0, 100), true);
    assert.equal(clock.now(), 7);
    assert.equal(await scheduler.until(() => seen.length > 1, 100), false);
    assert.equal(clock.now(), 107);
  });
});
