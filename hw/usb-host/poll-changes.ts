import type { Clock, Unsubscribe } from "../../shared/ports/index.ts";
import type { FoundStick } from "./usb-host.ts";

/**
 * Tells of changes by looking again and again, while anybody listens. Not being able to look is a state like others: the first
 * failure after a success is told, and so is the next success.
 */
export class PollChanges {
  readonly #find: () => Promise<readonly FoundStick[]>;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #listeners = new Set<() => void>();
  #cancel: Unsubscribe | undefined;
  /** Counts the times that the first listener came; what an earlier time began ends by itself. */
  #life = 0;

  constructor(find: () => Promise<readonly FoundStick[]>, clock: Clock, everyMs: number) {
    this.#find = find;
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  on(listener: () => void): Unsubscribe {
    const own = () => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) void this.#watch(++this.#life);
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#stop();
    };
  }

  /** Nobody is told any more. */
  close(): void {
    this.#listeners.clear();
    this.#stop();
  }

  #stop(): void {
    this.#life += 1;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #watch(life: number, before?: string): Promise<void> {
    const now = await this.#look();
    if (life !== this.#life) return;
    if (before !== undefined && now !== before) for (const listener of [...this.#listeners]) listener();
    if (life !== this.#life) return;
    this.#cancel = this.#clock.after(this.#everyMs, () => void this.#watch(life, now));
  }

  async #look(): Promise<string> {
    try {
      const sticks = await this.#find();
      return JSON.stringify(sticks.map(({ at, vendorId, productId, serial }) => [at, vendorId, productId, serial]));
    } catch (error) {
      return `cannot be seen: ${String(error)}`;
    }
  }
}
