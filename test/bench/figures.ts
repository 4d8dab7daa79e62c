/** What becomes of measured times. */

export interface Figures {
  readonly count: number;
  readonly medianMs: number;
  readonly p95Ms: number;
}

/** Of at least one time. */
export function figuresOf(timesMs: readonly number[]): Figures {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return { count: sorted.length, medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95) };
}

/** The smallest time that so many of all do not exceed (nearest rank). */
function quantile(sorted: readonly number[], part: number): number {
  const found = sorted[Math.ceil(part * sorted.length) - 1];
  if (found === undefined) throw new RangeError("nothing was measured");
  return found;
}
