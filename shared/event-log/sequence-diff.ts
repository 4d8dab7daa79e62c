/** How one sequence became another: what stayed, moved, came and went. Time n log n, memory n. */

/** Places in `before` and `after`. */
export interface SequenceDiff {
  /** Same element, same order: the longest such subsequence that pairing equal elements in order gives. */
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

/** Elements are equal when their keys are. */
export function diffSequences(before: readonly string[], after: readonly string[]): SequenceDiff {
  const prefix = commonPrefix(before, after);
  const suffix = commonSuffix(before, after, prefix);
  const within = { from: prefix, beforeTo: before.length - suffix, afterTo: after.length - suffix };
  // Of an element that occurs again, either the first or the last ones are the same; what leaves more in place is taken.
  const [fromStart, fromEnd] = [pairEqual(before, after, within, false), pairEqual(before, after, within, true)];
  const [runStart, runEnd] = [longestRun(fromStart), longestRun(fromEnd)];
  const useEnd = runEnd.length > runStart.length;
  const pairs = useEnd ? fromEnd : fromStart;
  const stays = new Set(useEnd ? runEnd : runStart);
  const pairedBefore = new Set(pairs.map((pair) => pair.before));
  const pairedAfter = new Set(pairs.map((pair) => pair.after));
  return {
    kept: [
      ...range(0, prefix).map((i) => ({ before: i, after: i })),
      ...pairs.filter((pair) => stays.has(pair)),
      ...range(0, suffix).map((i) => ({ before: within.beforeTo + i, after: within.afterTo + i })),
    ],
    moved: pairs.filter((pair) => !stays.has(pair)),
    missing: range(prefix, within.beforeTo).filter((i) => !pairedBefore.has(i)),
    added: range(prefix, within.afterTo).filter((i) => !pairedAfter.has(i)),
  };
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

/** Each element of `before` with the next one of `after` that is equal and free, from the start or from the end; by place in `before`. */
function pairEqual(
  before: readonly string[],
  after: readonly string[],
  { from, beforeTo, afterTo }: Middle,
  backwards: boolean,
): readonly Pair[] {
  const free = new Map<string, number[]>();
  const afterPlaces = range(from, afterTo);
  for (const place of backwards ? afterPlaces : afterPlaces.reverse()) {
    const key = after[place] ?? "";
    const places = free.get(key);
    if (places === undefined) free.set(key, [place]);
    else places.push(place); // the one that is wanted first is last
  }
  const beforePlaces = range(from, beforeTo);
  const pairs = (backwards ? beforePlaces.reverse() : beforePlaces).flatMap((place) => {
    const found = free.get(before[place] ?? "")?.pop();
    return found === undefined ? [] : [{ before: place, after: found }];
  });
  return backwards ? pairs.reverse() : pairs;
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
