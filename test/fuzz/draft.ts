/** No input grows longer, but for towers. */
export const MAX_INPUT_BYTES = 8192;

const NOTHING = new Uint8Array(0);

/** An input that is being changed, in one array that stays: to make a new one for each change took half the time of a campaign. */
export class Draft {
  /** Those of the input are the first `size`. */
  readonly bytes = new Uint8Array(MAX_INPUT_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  start(input: Uint8Array): void {
    this.#size = 0;
    this.replace(0, 0, input);
  }

  /** Puts `put` where `removed` bytes were; what is behind moves, and is lost where the array ends. */
  replace(at: number, removed: number, put: Uint8Array = NOTHING): void {
    const behind = Math.max(0, this.#size - at - removed);
    this.bytes.copyWithin(at + put.byteLength, at + removed, at + removed + behind);
    this.bytes.set(put.subarray(0, MAX_INPUT_BYTES - at), at);
    this.#size = Math.min(MAX_INPUT_BYTES, at + put.byteLength + behind);
  }

  /** Puts the `length` bytes from `at` on in front of themselves, so many times. */
  repeat(at: number, length: number, times: number): void {
    const run = this.bytes.slice(at, Math.min(at + length, this.#size));
    const all = new Uint8Array(run.byteLength * times);
    for (let i = 0; i < times; i++) all.set(run, i * run.byteLength);
    this.replace(at, 0, all);
  }

  cutOff(size: number): void {
    this.#size = size;
  }

  finish(): Uint8Array {
    return this.bytes.slice(0, this.#size);
  }
}
