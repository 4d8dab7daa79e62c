import assert from "node:assert/strict";
import { realClock } from "../../../hw/clock/real.ts";

describe("hw/clock real", () => {
  it("runs no timer before its time, fractions of milliseconds included", async () => {
    const early: number[] = [];
    const wait = (ms: number) =>
      new Promise<void>((resolve) => {
        const began = realClock.now();
        realClock.after(ms, () => {
          if (realClock.now() - began < ms) early.push(ms);
          resolve();
        });
      });
    await Promise.all(Array.from({ length: 200 }, (_, i) => wait(1 + i * 0.13)));
    assert.deepEqual(early, []);
  });

  it("forgets a timer that was cancelled", async () => {
    let ran = false;
    const cancel = realClock.after(1, () => {
      ran = true;
    });
    cancel();
    await new Promise<void>((resolve) => realClock.after(10, resolve));
    assert.equal(ran, false);
  });
});
