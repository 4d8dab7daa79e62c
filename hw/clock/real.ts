import type { Calendar, Clock } from "../../shared/ports/index.ts";

/** The machine's monotonic clock. */
export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export const realCalendar: Calendar = { today: () => Date.now() };
