interface Turn {
  readonly run: () => Promise<void>;
  readonly drop: (error: unknown) => void;
}

/** Work of which one piece runs at a time. */
export class Turns {
  readonly #waiting: Turn[] = [];
  readonly #idle: (() => void)[] = [];
  #running = false;

  /** In the order of the calls; what goes `first` is done next. */
  add<T>(work: () => Promise<T>, first = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const turn: Turn = { run: () => work().then(resolve, reject), drop: reject };
      if (first) this.#waiting.unshift(turn);
      else this.#waiting.push(turn);
      if (!this.#running) void this.#runAll();
    });
  }

  /** What waits is rejected with `error`; resolves when what runs has ended. */
  async end(error: unknown): Promise<void> {
    for (const { drop } of this.#waiting.splice(0)) drop(error);
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #runAll(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await next.run();
    this.#running = false;
    for (const tell of this.#idle.splice(0)) tell();
  }
}
