const NONE = -1;
/** 2 ** 32 divided by the golden ratio: spreads keys that lie side by side. */
const SPREAD = 0x9e37_79b1;

/**
 * Finds slots, numbers under `max`, by the key that each was put in with. A Map does the same; but where entries come and go all the time it makes
 * itself anew again and again, and every entry of it is for the garbage collector to look at.
 */
export class SlotIndex {
  readonly #keys: Float64Array;
  /** The first slot of each bucket, and the one behind each slot. */
  readonly #first: Int32Array;
  readonly #behind: Int32Array;
  readonly #shift: number;

  constructor(max: number) {
    const bits = Math.ceil(Math.log2(Math.max(2, max)));
    this.#keys = new Float64Array(max);
    this.#first = new Int32Array(1 << bits).fill(NONE);
    this.#behind = new Int32Array(max).fill(NONE);
    this.#shift = 32 - bits;
  }

  /** The slot that was put in last with this key. */
  find(key: number): number | undefined {
    let slot = this.#first[this.#bucketOf(key)] ?? NONE;
    while (slot !== NONE && this.#keys[slot] !== key) slot = this.#behind[slot] ?? NONE;
    return slot === NONE ? undefined : slot;
  }

  put(slot: number, key: number): void {
    const bucket = this.#bucketOf(key);
    this.#keys[slot] = key;
    this.#behind[slot] = this.#first[bucket] ?? NONE;
    this.#first[bucket] = slot;
  }

  keyAt(slot: number): number {
    return this.#keys[slot] ?? 0;
  }

  /** Of a slot that was put in. */
  remove(slot: number): void {
    const bucket = this.#bucketOf(this.#keys[slot] ?? 0);
    const behind = this.#behind[slot] ?? NONE;
    let before = this.#first[bucket] ?? NONE;
    if (before === slot) {
      this.#first[bucket] = behind;
      return;
    }
    for (; before !== NONE; before = this.#behind[before] ?? NONE) {
      if (this.#behind[before] !== slot) continue;
      this.#behind[before] = behind;
      return;
    }
  }

  #bucketOf(key: number): number {
    return Math.imul(key | 0, SPREAD) >>> this.#shift;
  }
}
