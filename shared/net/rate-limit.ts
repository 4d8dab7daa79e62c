import type { Clock } from "../ports/index.ts";

/** At most `perSecond` in each second that begins with the first taken. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #windowFrom = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  take(): boolean {
    const now = this.#clock.now();
    if (now - this.#windowFrom >= 1_000) {
      this.#windowFrom = now;
      this.#taken = 0;
    }
    if (this.#taken >= this.#perSecond) return false;
    this.#taken += 1;
    return true;
  }
}
