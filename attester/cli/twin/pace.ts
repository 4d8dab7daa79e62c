import { realClock } from "../../../hw/clock/real.ts";
import { Scheduler } from "../../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../../hw/clock/virtual.ts";
import type { Clock } from "../../../shared/ports/index.ts";

const POLL_MS = 5;
/** The sums of a clock that tells fractions of milliseconds are not exact. */
const TRIFLE_MS = 0.001;

/** How time passes for a twin: under a virtual clock, or as on the wall. */
export interface Pace {
  readonly clock: Clock;
  advance(ms: number): Promise<void>;
  /** Lets time pass until `done` holds; false when it does not within `limitMs`. */
  until(done: () => boolean, limitMs: number): Promise<boolean>;
  /** How far apart two instants may be and still be the same for an expectation. */
  readonly toleranceMs: number;
  /** Present where outside work must be registered before time may move on. */
  readonly scheduler?: Scheduler;
}

export function virtualPace(): Pace {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  return {
    clock,
    scheduler,
    toleranceMs: TRIFLE_MS,
    advance: (ms) => scheduler.advance(ms),
    until: (done, limitMs) => scheduler.until(done, limitMs),
  };
}

export function realPace(): Pace {
  const sleep = (ms: number) => new Promise<void>((resolve) => realClock.after(ms, resolve));
  return {
    clock: realClock,
    toleranceMs: 300,
    advance: sleep,
    async until(done, limitMs) {
      const limit = realClock.now() + limitMs;
      while (!done()) {
        if (realClock.now() >= limit) return false;
        await sleep(POLL_MS);
      }
      return true;
    },
  };
}
