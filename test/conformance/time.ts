import { realClock } from "../../hw/clock/real.ts";
import type { VirtualClock } from "../../hw/clock/virtual.ts";
import type { Clock } from "../../shared/ports/index.ts";

/** How time passes for a row. */
export interface Time {
  readonly clock: Clock;
  /** Lets `ms` pass, and everything happen that happens meanwhile. */
  wait(ms: number): Promise<void>;
  /** Lets as much time pass as the work takes. */
  during<T>(work: Promise<T>): Promise<T>;
}

export const realTime: Time = {
  clock: realClock,
  wait: (ms) => new Promise((resolve) => realClock.after(ms, resolve)),
  during: (work) => work,
};

/** Nothing that a row asks for takes longer; a promise that does not settle is a bug. */
const LIMIT_MS = 600_000;

/** Time that passes only while a row waits. `settle` resolves when nothing is under way at the present instant. */
export function virtualTime(clock: VirtualClock, settle: () => Promise<void>): Time {
  return {
    clock,
    async wait(ms) {
      const until = clock.now() + ms;
      await settle();
      while (clock.step(until)) await settle();
    },
    async during(work) {
      let done = false;
      const ended = () => {
        done = true;
      };
      work.then(ended, ended);
      const limit = clock.now() + LIMIT_MS;
      await settle();
      while (!done) {
        if (!clock.step(limit)) throw new Error("a row waits for what never comes");
        await settle();
      }
      return work;
    },
  };
}
