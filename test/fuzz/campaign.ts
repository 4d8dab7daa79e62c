/** Many inputs to one target, with an eye on time and memory. */
import { realClock } from "../../hw/clock/real.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { InputSource } from "./inputs.ts";
import { bytesInUse, bytesKept, limits } from "./limits.ts";
import { shrink } from "./shrink.ts";
import type { Feed, Target } from "./target.ts";

export interface Amount {
  readonly inputs: number;
  /** Ends before, where that is over. */
  readonly seconds: number;
  readonly seed: number;
  /** For one input; `limits.inputMs` unless said otherwise. */
  readonly inputMs?: number;
}

export interface Failure {
  readonly what: string;
  /** Hexadecimal; shortened, where the input fails by itself. */
  readonly input: string;
  /** Which one it was, counted from 1; `alone` says whether it fails without those before. */
  readonly number: number;
  readonly alone: boolean;
}

export interface Outcome {
  readonly name: string;
  readonly inputs: number;
  readonly accepted: number;
  /** Of the processor: what else the machine does is not counted. */
  readonly seconds: number;
  readonly slowestMs: number;
  /** Of memory that is kept. */
  readonly grownBytes: number;
  readonly corpus: number;
  readonly failure?: Failure;
}

/** Told what is being fed, for those who watch from outside. */
export type Watch = (input: Uint8Array) => void;

const now = () => realClock.now();
/** Below this nobody asks whether it was the input or the machine. */
const NOTABLE_MS = 2;
const REPEATS = 3;
/** The processor's time is asked for once for so many: to ask takes longer than most inputs do. */
const TIMED_INPUTS = 256;
/** Making a failing input shorter ends after so long. */
const SHRINK_MS = 3_000;
/** Fewer are not weighed: collecting what nobody needs takes as long as they do. */
const WEIGHED_INPUTS = 10_000;
/** For refusals: four fifths of the time would go into stacks that nobody reads. */
const NO_STACKS = 0;

/** Of the processor. */
function secondsSince(used: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1e6;
}

class TooMuch extends Error {
  override readonly name = "TooMuch";
}

interface Patience {
  /** What the process had used of the processor by then, or a little before. */
  readonly used: NodeJS.CpuUsage;
  /** Whether it may be fed again, to see if it was the input or the machine. */
  readonly repeats: boolean;
  /** Asked of what is slower than this alone. */
  readonly notableMs?: number;
  readonly inputMs?: number | undefined;
}

/** Feeds one input; throws what is wrong with it, TooMuch included. */
function take(feed: Feed, input: Uint8Array, watch: Watch, { used, repeats, notableMs = 0, inputMs }: Patience) {
  watch(input);
  const bytes = bytesInUse();
  const began = now();
  const accepted = feed.take(input);
  let ms = now() - began;
  const taken = bytesInUse() - bytes;
  if (taken > limits.inputBytes) throw new TooMuch(`took ${Math.round(taken / 1_048_576)} MB`);
  if (ms > NOTABLE_MS) ms = Math.min(ms, 1_000 * secondsSince(used));
  for (let i = 0; i < REPEATS && repeats && ms > Math.max(NOTABLE_MS, notableMs); i++) {
    const again = process.cpuUsage();
    feed.take(input);
    ms = Math.min(ms, 1_000 * secondsSince(again));
  }
  if (ms > (inputMs ?? limits.inputMs)) throw new TooMuch(`took ${Math.round(ms)} ms`);
  return { accepted, ms };
}

const firstLine = (error: unknown) => String(error).split("\n")[0]?.slice(0, 200) ?? "";

/** What `input` does by itself, as one line; undefined when nothing is wrong. */
export async function alone(target: Target, input: Uint8Array): Promise<string | undefined> {
  const feed = await target.open();
  try {
    take(feed, input, () => undefined, { used: process.cpuUsage(), repeats: !target.remembers });
    await feed.end();
    return undefined;
  } catch (error) {
    return firstLine(error);
  }
}

interface Fed {
  readonly target: Target;
  readonly feed: Feed;
  readonly watch: Watch;
  readonly inputMs: number | undefined;
}

/** The failure with its input made short. What remembers is asked once only: opening it takes long. */
async function explain(
  { target, feed, watch, inputMs }: Fed,
  number: number,
  input: Uint8Array,
  error: unknown,
): Promise<Failure> {
  const what = firstLine(error);
  if (target.remembers) return { what, input: toHex(input), number, alone: (await alone(target, input)) !== undefined };
  const kind = error instanceof Error ? error.name : "";
  let shown = what;
  const until = now() + SHRINK_MS;
  const fails = (candidate: Uint8Array) => {
    if (now() > until) return false;
    try {
      take(feed, candidate, watch, { used: process.cpuUsage(), repeats: true, inputMs });
      return false;
    } catch (other) {
      const isSame = other instanceof Error && other.name === kind;
      if (isSame) shown = firstLine(other);
      return isSame;
    }
  };
  const isAlone = fails(input);
  const least = isAlone ? shrink(input, fails) : input;
  return { what: shown, input: toHex(least), number, alone: isAlone };
}

/** Feeds until the amount is reached or something is wrong. */
export async function campaign(target: Target, amount: Amount, watch: Watch = () => undefined): Promise<Outcome> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = NO_STACKS;
  try {
    return await run(target, amount, watch);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function run(target: Target, { inputs, seconds, seed, inputMs }: Amount, watch: Watch): Promise<Outcome> {
  const feed = await target.open();
  const seeds = [...target.seeds, ...target.corpus, ...(feed.heard ?? [])];
  const source = new InputSource(target.name, { seeds, tokens: target.tokens }, seed);
  const kept = inputs >= WEIGHED_INPUTS ? bytesKept : () => 0;
  const before = kept();
  const began = process.cpuUsage();
  const until = now() + seconds * 1_000;
  let [number, accepted, slowestMs] = [0, 0, 0];
  let [failure, used]: [Failure | undefined, NodeJS.CpuUsage] = [undefined, began];
  while (number < inputs && failure === undefined && (number % 256 !== 0 || now() < until)) {
    if (number % TIMED_INPUTS === 0) used = process.cpuUsage();
    const raw = source.next();
    const input = ++number % 2 === 0 && target.mend !== undefined ? target.mend(raw) : raw;
    try {
      const taken = take(feed, input, watch, { used, repeats: !target.remembers, notableMs: slowestMs, inputMs });
      if (taken.accepted) accepted++;
      slowestMs = Math.max(slowestMs, taken.ms);
    } catch (error) {
      failure = await explain({ target, feed, watch, inputMs }, number, input, error);
    }
  }
  const took = secondsSince(began);
  const grownBytes = Math.max(0, kept() - before);
  failure ??= await afterwards(feed, number, grownBytes);
  const facts = {
    name: target.name,
    inputs: number,
    accepted,
    seconds: took,
    slowestMs,
    grownBytes,
  };
  return { ...facts, corpus: target.corpus.length, ...(failure !== undefined && { failure }) };
}

/** What only the whole of a run shows. */
async function afterwards(feed: Feed, number: number, grownBytes: number): Promise<Failure | undefined> {
  const whole = { input: "", number, alone: false };
  if (grownBytes > limits.growthBytes)
    return { what: `${Math.round(grownBytes / 1_048_576)} MB more in use`, ...whole };
  try {
    await feed.end();
    return undefined;
  } catch (error) {
    return { what: `afterwards: ${firstLine(error)}`, ...whole };
  }
}
