/** Feeds with V8's coverage as guide: what reaches new code is kept, and changed further. */
import { realClock } from "../../hw/clock/real.ts";
import { toHex } from "../../shared/bytes/index.ts";
import { type Amount, campaign, type Watch } from "./campaign.ts";
import { Coverage, reaches } from "./coverage.ts";
import { InputSource } from "./inputs.ts";
import { shrink } from "./shrink.ts";
import type { Feed, Target } from "./target.ts";
import type { Done } from "./task.ts";

/** Coverage is asked after so many, because asking takes a millisecond; then it is found out which one it was. */
const BATCH = 128;
/** What this few blind inputs reach needs no corpus. */
const BLIND_INPUTS = 512;
const MAX_FOUND = 200;
/** To make one of them shorter. */
const MAX_TRIES = 300;
/** So that the corpus stays small: of each decoder, and longer ones not at all. */
const MAX_STORED = 8;
const MAX_STORED_BYTES = 300;

/** Looks for inputs that reach new code, then feeds the target with what was found beside its seeds. */
export async function guide(target: Target, amount: Amount, watch: Watch): Promise<Done> {
  const search = new Search(target, await target.open(), watch);
  try {
    const found = search.run(amount);
    const outcome = await campaign({ ...target, corpus: found }, amount, watch);
    const small = found.filter(({ byteLength }) => byteLength <= MAX_STORED_BYTES).slice(0, MAX_STORED);
    return { outcome, found: small.map(toHex) };
  } finally {
    search.close();
  }
}

class Search {
  readonly #target: Target;
  readonly #feed: Feed;
  readonly #watch: Watch;
  readonly #coverage = new Coverage();

  constructor(target: Target, feed: Feed, watch: Watch) {
    this.#target = target;
    this.#feed = feed;
    this.#watch = watch;
  }

  close(): void {
    this.#coverage.close();
  }

  #feedAll(inputs: readonly Uint8Array[]): void {
    for (const input of inputs) {
      this.#watch(input);
      this.#feed.take(input);
    }
  }

  /** Whether such inputs reach what is not known. */
  #isNew(inputs: readonly Uint8Array[]): boolean {
    this.#coverage.take();
    this.#feedAll(inputs);
    return this.#coverage.fresh(this.#coverage.take()).size > 0;
  }

  run({ inputs, seconds, seed }: Amount): readonly Uint8Array[] {
    const { mend, seeds, corpus } = this.#target;
    const source = new InputSource(this.#target.name, this.#target, seed);
    const next = (_: unknown, i: number) => (i % 2 === 0 && mend !== undefined ? mend(source.next()) : source.next());
    const batch = () => Array.from({ length: BATCH }, next);
    this.#feedAll(seeds);
    for (let fed = 0; fed < BLIND_INPUTS; fed += BATCH) this.#feedAll(batch());
    this.#coverage.note(this.#coverage.take());
    const found: Uint8Array[] = [];
    const until = realClock.now() + seconds * 1_000;
    // What was stored before comes first: it is kept if it still reaches what the blind ones do not.
    for (let fed = 0, those = [...corpus]; fed < inputs && realClock.now() < until; fed += BATCH, those = batch()) {
      while (found.length < MAX_FOUND && this.#isNew(those)) {
        const input = this.#smallest(this.#finder(those));
        this.#coverage.take();
        this.#feedAll([input]);
        const ran = this.#coverage.take();
        if (this.#coverage.fresh(ran).size === 0) break; // it was not the input, but what ran before it
        this.#coverage.note(ran);
        found.push(input);
        source.add(input);
      }
    }
    return found;
  }

  /** One of them that reaches what is not known. */
  #finder(inputs: readonly Uint8Array[]): Uint8Array {
    const [only = new Uint8Array(0)] = inputs;
    if (inputs.length <= 1) return only;
    const middle = inputs.length >> 1;
    const half = inputs.slice(0, middle);
    return this.#finder(this.#isNew(half) ? half : inputs.slice(middle));
  }

  /** Shortened as long as it still reaches all the new code that it reaches. */
  #smallest(input: Uint8Array): Uint8Array {
    this.#coverage.take();
    this.#feedAll([input]);
    const wanted = this.#coverage.fresh(this.#coverage.take());
    const still = (candidate: Uint8Array) => {
      this.#feedAll([candidate]);
      return reaches(this.#coverage.take(), wanted);
    };
    return shrink(input, still, MAX_TRIES);
  }
}
