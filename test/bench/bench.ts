import { realClock } from "../../hw/clock/real.ts";
import { type Figures, figuresOf } from "./figures.ts";

/** One thing that is measured. Rejects when it did not happen: a time without its result is none. */
export interface Probe {
  readonly what: string;
  readonly way: string;
  run(): Promise<void>;
  /** What belongs behind each run, and not to its time. */
  after?(): Promise<void>;
}

export interface Result extends Figures {
  readonly what: string;
  readonly way: string;
  /** The median over the one of the same thing's first way. */
  readonly ratio: number;
}

/** Something measured that is no time: a sentence, and the numbers in it. */
export interface Note {
  readonly what: string;
  readonly [number: string]: number | string;
}

/** A figure that a goal is set for. */
export interface Figure {
  readonly figure: string;
  readonly value: number;
  /** Behind the number: "/s", "ms", "MB"; empty for a ratio. */
  readonly unit: string;
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
}

/** Probes that are compared in one run. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  /** How often at most, where once takes long. */
  readonly iterations?: number;
  /** How often in a row, before the next probe takes its turn. */
  readonly round?: number;
  open(): Promise<Opened>;
}

export interface Opened {
  readonly probes: readonly Probe[];
  /** What the results come to, and what was measured besides. */
  figures?(results: readonly Result[]): readonly Figure[];
  notes?(): readonly Note[];
  close(): Promise<void>;
}

export interface Measured {
  readonly results: readonly Result[];
  readonly figures: readonly Figure[];
  readonly notes: readonly Note[];
}

export interface Amount {
  readonly iterations: number;
  readonly warmUp: number;
}

const ROUND = 50;

/** The probes take turns, so that what else the machine does meets all of them. */
export async function measure(bench: Bench, amount: Amount): Promise<Measured> {
  const { iterations, warmUp } = amountFor(bench, amount);
  const round = bench.round ?? ROUND;
  const { probes, figures, notes, close } = await bench.open();
  try {
    const times = new Map<Probe, number[]>(probes.map((probe) => [probe, []]));
    for (const probe of probes) await repeat(probe, warmUp);
    for (let done = 0; done < iterations; done += round) {
      for (const [probe, taken] of times) taken.push(...(await repeat(probe, Math.min(round, iterations - done))));
    }
    const results = compared(times);
    return { results, figures: figures?.(results) ?? [], notes: notes?.() ?? [] };
  } finally {
    await close();
  }
}

/** What was asked for, at most what the bench does. */
export function amountFor({ iterations: most = Number.MAX_SAFE_INTEGER }: Bench, amount: Amount): Amount {
  return { iterations: Math.min(amount.iterations, most), warmUp: Math.min(amount.warmUp, most) };
}

async function repeat(probe: Probe, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const began = realClock.now();
    await probe.run();
    times.push(realClock.now() - began);
    await probe.after?.();
  }
  return times;
}

function compared(times: ReadonlyMap<Probe, readonly number[]>): readonly Result[] {
  const first = new Map<string, number>();
  return [...times].map(([{ what, way }, taken]) => {
    const figures = figuresOf(taken);
    const base = first.get(what) ?? figures.medianMs;
    first.set(what, base);
    return { what, way, ...figures, ratio: figures.medianMs / base };
  });
}

export function isReached({ value, goal }: Figure): boolean {
  return "atLeast" in goal ? value >= goal.atLeast : value <= goal.atMost;
}

/** The median of one of the results; a figure of something that was not measured is a mistake in the bench. */
export function medianOf(results: readonly Result[], what: string, way: string): number {
  const found = results.find((result) => result.what === what && result.way === way);
  if (found === undefined) throw new RangeError(`nothing was measured of ${what}, ${way}`);
  return found.medianMs;
}
