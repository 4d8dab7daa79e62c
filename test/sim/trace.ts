import { createHash } from "node:crypto";
import type { Clock } from "../../shared/ports/index.ts";

/** What happened, for people, and the digest of that and of every frame, for comparing runs. */
export class Trace {
  readonly lines: string[] = [];
  readonly #clock: Clock;
  readonly #hash = createHash("sha256");

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tell(line: string): void {
    const text = `${(this.#clock.now() / 1000).toFixed(3).padStart(8)} s  ${line}`;
    this.#hash.update(`${text}\n`);
    this.lines.push(text);
  }

  frame(direction: string, frame: Uint8Array): void {
    this.#hash.update(`${this.#clock.now()} ${direction} ${frame.byteLength}\n`).update(frame);
  }

  /** Of all so far. */
  get digest(): string {
    return this.#hash.copy().digest("hex");
  }
}
