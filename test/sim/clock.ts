import type { Pace } from "../../attester/cli/twin/pace.ts";
import { Scheduler } from "../../hw/clock/scheduler.ts";
import { VirtualClock } from "../../hw/clock/virtual.ts";
import type { Unsubscribe } from "../../shared/ports/index.ts";

/** A virtual clock that knows how many timers wait: what hangs on a timer and is never let go, shows here. */
export class CountingClock extends VirtualClock {
  #waiting = new Set<object>();

  get waiting(): number {
    return this.#waiting.size;
  }

  override after(ms: number, run: () => void): Unsubscribe {
    const timer = {};
    this.#waiting.add(timer);
    const cancel = super.after(ms, () => {
      this.#waiting.delete(timer);
      run();
    });
    return () => {
      this.#waiting.delete(timer);
      cancel();
    };
  }
}

export function paceOf(clock: CountingClock): Pace & { readonly scheduler: Scheduler } {
  const scheduler = new Scheduler(clock);
  return {
    clock,
    scheduler,
    toleranceMs: 0,
    advance: (ms) => scheduler.advance(ms),
    until: (done, limitMs) => scheduler.until(done, limitMs),
  };
}
