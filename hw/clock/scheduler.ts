import type { TpmPlatform, TpmTransport } from "../../shared/ports/index.ts";
import type { VirtualClock } from "./virtual.ts";

/**
 * Moves a virtual clock on only when nothing is under way: microtasks have run dry and every piece of registered outside
 * work (a command to a TPM in another process) has ended. So a slow machine and a fast one see the same order of events.
 */
export class Scheduler {
  readonly clock: VirtualClock;
  readonly #open = new Set<Promise<unknown>>();

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  /** Registers outside work; returns what it was given. */
  track<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.then(
      () => this.#open.delete(settled),
      () => this.#open.delete(settled),
    );
    this.#open.add(settled);
    return work;
  }

  trackTransport(transport: TpmTransport): TpmTransport {
    return {
      send: (command, signal) => this.track(transport.send(command, signal)),
      close: () => transport.close(),
    };
  }

  trackPlatform(platform: TpmPlatform): TpmPlatform {
    return {
      setLocality: (locality) => this.track(platform.setLocality(locality)),
      hashSequence: (data) => this.track(platform.hashSequence(data)),
      power: (how) => this.track(platform.power(how)),
    };
  }

  /** Resolves once nothing is under way at the present instant. */
  async settle(): Promise<void> {
    await macrotask(); // microtasks run dry before it
    while (this.#open.size > 0) {
      await Promise.all(this.#open);
      await macrotask(); // what waited for the outside work may have begun more of it
    }
  }

  /** Runs everything that is due within the next `ms` milliseconds, settling between any two timers. */
  async advance(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.settle();
    while (this.clock.step(until)) await this.settle();
  }

  /** Advances from timer to timer until `done` holds; false when it does not within `limitMs`. */
  async until(done: () => boolean, limitMs: number): Promise<boolean> {
    const limit = this.clock.now() + limitMs;
    await this.settle();
    while (!done()) {
      if (!this.clock.step(limit)) return done();
      await this.settle();
    }
    return true;
  }
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
