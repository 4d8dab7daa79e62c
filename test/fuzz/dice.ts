/** Mulberry32, started from the FNV-1a hash of a name and a seed: fast, and the same draws at every run. */
export class Dice {
  #state = 0x811c9dc5;

  constructor(name: string, seed = 0) {
    const text = seed === 0 ? name : `${name} ${seed}`;
    for (const character of text) this.#state = Math.imul(this.#state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** From 0 to `max` - 1; 0 where there is nothing to choose from. */
  below(max: number): number {
    return max <= 0 ? 0 : this.#next() % max;
  }

  pick<T>(choices: readonly T[]): T | undefined {
    return choices[this.below(choices.length)];
  }

  bytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    let word = 0;
    for (let i = 0; i < size; i++) {
      word = i % 4 === 0 ? this.#next() : word >>> 8;
      bytes[i] = word;
    }
    return bytes;
  }
}
