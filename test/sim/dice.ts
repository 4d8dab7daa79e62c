import { seededRandom } from "../support/random.ts";

const UINT32_RANGE = 2 ** 32;

/** Draws from one stream of a seed. */
export interface Dice {
  /** A whole number from `least` to `most`, both included. */
  from(least: number, most: number): number;
  /** True so often in one. */
  chance(share: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
  bytes(size: number): Uint8Array;
}

/** `stream` keeps several of one seed apart, so that one more draw of one does not shift the others. */
export function createDice(seed: number, stream: string): Dice {
  const random = seededRandom(seed, `sim ${stream}`);
  const unit = () => new DataView(random.bytes(4).buffer).getUint32(0) / UINT32_RANGE;
  const from = (least: number, most: number) => least + Math.floor(unit() * (most - least + 1));
  return {
    from,
    chance: (share) => unit() < share,
    pick: ([first, ...more]) => more[from(0, more.length) - 1] ?? first,
    bytes: (size) => random.bytes(size),
  };
}
