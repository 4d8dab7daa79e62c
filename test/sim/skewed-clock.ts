import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";

interface Timer {
  readonly due: number;
  readonly run: () => void;
  cancel: Unsubscribe;
}

/**
 * One part's own clock beside the world's. It never goes back, which no monotonic clock may; it goes back relative to all others while it
 * stands, as that of a computer that sleeps or a process that was stopped. When it jumps, what has become due runs at once, in its order.
 */
export class SkewedClock implements Clock {
  readonly #world: Clock;
  readonly #timers = new Set<Timer>();
  #aheadMs = 0;
  #jumpedMs = 0;
  /** Jumped meanwhile, while it stands. */
  #comingMs = 0;
  /** What it shows while it stands. */
  #standsAt: number | undefined;
  /** Instant of the world at which it was last tampered with: what has become due then may still wait for its turn. */
  tamperedAt: number | undefined;

  constructor(world: Clock) {
    this.#world = world;
  }

  now(): number {
    return this.#standsAt ?? this.#world.now() + this.#aheadMs;
  }

  /** Without what it jumped over: so long it really went. */
  wentMs(): number {
    return this.now() - this.#jumpedMs;
  }

  after(ms: number, run: () => void): Unsubscribe {
    const timer: Timer = { due: this.now() + Math.max(0, ms), run, cancel: () => undefined };
    this.#timers.add(timer);
    if (this.#standsAt === undefined) this.#arm(timer);
    return () => {
      this.#timers.delete(timer);
      timer.cancel();
    };
  }

  /** While it stands it shows nothing of it, as no timer runs: it has jumped when it goes on. RangeError for less than nothing. */
  jump(ms: number): void {
    if (ms < 0) throw new RangeError(`a monotonic clock does not go back by ${-ms} ms`);
    if (this.#standsAt !== undefined) {
      this.#comingMs += ms;
      return;
    }
    this.#jumpedMs += ms;
    this.#aheadMs += ms;
    this.#rearm();
  }

  stand(): void {
    this.#standsAt ??= this.now();
    this.#rearm();
  }

  /** On from where it stood. */
  go(): void {
    if (this.#standsAt === undefined) return;
    this.#aheadMs = this.#standsAt - this.#world.now();
    this.#standsAt = undefined;
    this.jump(this.#comingMs);
    this.#comingMs = 0;
  }

  #rearm(): void {
    this.tamperedAt = this.#world.now();
    const timers = [...this.#timers].sort((a, b) => a.due - b.due); // a stable sort: of one instant, the older first
    for (const timer of timers) {
      timer.cancel();
      if (this.#standsAt === undefined) this.#arm(timer);
    }
  }

  #arm(timer: Timer): void {
    timer.cancel = this.#world.after(timer.due - this.now(), () => {
      this.#timers.delete(timer);
      timer.run();
    });
  }
}
