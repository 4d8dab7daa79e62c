import type { Calendar, Clock } from "../../shared/ports/index.ts";

/** The machine's monotonic clock. Node's timers count whole milliseconds and may run a little early; these never do. */
export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const due = performance.now() + ms;
    const whenDue = (): void => {
      const left = due - performance.now();
      if (left > 0) timer = setTimeout(whenDue, Math.ceil(left));
      else run();
    };
    let timer = setTimeout(whenDue, Math.ceil(ms));
    return () => clearTimeout(timer);
  },
};

export const realCalendar: Calendar = { today: () => Date.now() };
