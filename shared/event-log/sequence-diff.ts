/** How one sequence became another: what stayed, moved, came and went. */

/** Cells of the table that finds the longest common subsequence: logs of some hundred events, whatever they repeat. */
const MAX_CELLS = 1 << 20;

/** Places in `before` and `after`. */
export interface SequenceDiff {
  /** Same element, same order; in the order of both. */
  readonly kept: readonly Pair[];
  /** Same element, another place in the order. */
  readonly moved: readonly Pair[];
  readonly missing: readonly number[];
  readonly added: readonly number[];
}

export interface Pair {
  readonly before: number;
  readonly after: number;
}

/**
 * Elements are equal when their keys are. What differs between the common beginning and the common end is compared by its longest
 * common subsequence; where that is too long, by the longest one in which equal elements are paired in their order, which is the same
 * unless elements repeat. Time at most n log n and 2^20 steps, memory n and 2 MiB.
 */
export function diffSequences(before: readonly string[], after: readonly string[]): SequenceDiff {
  const prefix = commonPrefix(before, after);
  const suffix = commonSuffix(before, after, prefix);
  const middle = { from: prefix, beforeTo: before.length - suffix, afterTo: after.length - suffix };
  const old = range(prefix, middle.beforeTo);
  const now = range(prefix, middle.afterTo);
  const small = old.length * now.length <= MAX_CELLS;
  const stay = small ? longestCommon(before, after, middle) : longestRun(pairEqual(before, after, old, now));
  const [oldLeft, nowLeft] = [without(old, stay, "before"), without(now, stay, "after")];
  const moved = pairEqual(before, after, oldLeft, nowLeft);
  return {
    kept: [
      ...range(0, prefix).map((i) => ({ before: i, after: i })),
      ...stay,
      ...range(0, suffix).map((i) => ({ before: middle.beforeTo + i, after: middle.afterTo + i })),
    ],
    moved,
    missing: without(oldLeft, moved, "before"),
    added: without(nowLeft, moved, "after"),
  };
}

function without(places: readonly number[], pairs: readonly Pair[], side: keyof Pair): readonly number[] {
  const paired = new Set(pairs.map((pair) => pair[side]));
  return places.filter((place) => !paired.has(place));
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

function commonPrefix(before: readonly string[], after: readonly string[]): number {
  let size = 0;
  while (size < before.length && size < after.length && before[size] === after[size]) size++;
  return size;
}

function commonSuffix(before: readonly string[], after: readonly string[], prefix: number): number {
  const most = Math.min(before.length, after.length) - prefix;
  let size = 0;
  while (size < most && before[before.length - 1 - size] === after[after.length - 1 - size]) size++;
  return size;
}

interface Middle {
  readonly from: number;
  readonly beforeTo: number;
  readonly afterTo: number;
}

/** The longest common subsequence, by the table of lengths of what is left. */
function longestCommon(
  before: readonly string[],
  after: readonly string[],
  { from, beforeTo, afterTo }: Middle,
): readonly Pair[] {
  const [rows, columns] = [beforeTo - from, afterTo - from];
  const width = columns + 1;
  const lengths = new Uint16Array((rows + 1) * width); // at most 2^20 cells, so a length is at most 2^10
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0;
  const same = (row: number, column: number) => before[from + row] === after[from + column];
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const length = same(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
      lengths[row * width + column] = length;
    }
  }
  const pairs: Pair[] = [];
  for (let [row, column] = [0, 0]; row < rows && column < columns; ) {
    if (same(row, column)) pairs.push({ before: from + row++, after: from + column++ });
    else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  }
  return pairs;
}

/** Each of these elements of `before` with the first of `after` that is equal and free, in the order of `before`. */
function pairEqual(
  before: readonly string[],
  after: readonly string[],
  beforePlaces: readonly number[],
  afterPlaces: readonly number[],
): readonly Pair[] {
  const free = new Map<string, number[]>();
  for (const place of afterPlaces.toReversed()) {
    const key = after[place] ?? "";
    const places = free.get(key);
    if (places === undefined) free.set(key, [place]);
    else places.push(place); // the first one is last
  }
  return beforePlaces.flatMap((place) => {
    const found = free.get(before[place] ?? "")?.pop();
    return found === undefined ? [] : [{ before: place, after: found }];
  });
}

/** The longest run of pairs, given in the order of `before`, whose places in `after` increase: patience sorting. */
function longestRun(pairs: readonly Pair[]): readonly Pair[] {
  const tails: number[] = []; // of runs of each length, the pair with the smallest end
  const previous: number[] = [];
  pairs.forEach(({ after }, i) => {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((pairs[tails[middle] ?? 0]?.after ?? 0) < after) low = middle + 1;
      else high = middle;
    }
    previous[i] = tails[low - 1] ?? -1;
    tails[low] = i;
  });
  const run: Pair[] = [];
  for (let i = tails.at(-1) ?? -1; i >= 0; i = previous[i] ?? -1) {
    const pair = pairs[i];
    if (pair !== undefined) run.push(pair);
  }
  return run.reverse();
}
