import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until it is told otherwise. Timers run in the order of their due times, then of their making. */
export class VirtualClock implements Clock {
  #now: number;
  #made = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Unsubscribe {
    const timer: Timer = { due: this.#now + Math.max(0, ms), order: this.#made++, run };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** When the next timer is due; undefined when there is none. */
  nextDue(): number | undefined {
    return this.#first()?.due;
  }

  /** Moves to the next timer that is due by `until` and runs it; false when there is none, and then now is `until`. */
  step(until: number): boolean {
    const timer = this.#first();
    if (timer === undefined || timer.due > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, timer.due);
    timer.run();
    return true;
  }

  /** Runs all timers due within the next `ms` milliseconds. Work in microtasks between timers needs `step` in a scheduler. */
  advance(ms: number): void {
    const until = this.#now + ms;
    while (this.step(until));
  }

  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}
