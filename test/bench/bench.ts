import { realClock } from "../../hw/clock/real.ts";
import { type Figures, figuresOf } from "./figures.ts";

/** One thing that is measured. Rejects when it did not happen: a time without its result is none. */
export interface Probe {
  readonly what: string;
  readonly way: string;
  run(): Promise<void>;
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

/** Probes that are compared in one run. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  /** How often at most, where once takes long. */
  readonly iterations?: number;
  open(): Promise<{ readonly probes: readonly Probe[]; notes?(): readonly Note[]; close(): Promise<void> }>;
}

export interface Measured {
  readonly results: readonly Result[];
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
  const { probes, notes, close } = await bench.open();
  try {
    const times = new Map<Probe, number[]>(probes.map((probe) => [probe, []]));
    for (const probe of probes) await repeat(probe, warmUp);
    for (let done = 0; done < iterations; done += ROUND) {
      for (const [probe, taken] of times) taken.push(...(await repeat(probe, Math.min(ROUND, iterations - done))));
    }
    return { results: compared(times), notes: notes?.() ?? [] };
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
