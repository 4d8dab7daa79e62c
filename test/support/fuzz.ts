import assert from "node:assert/strict";
import { CodecError, concat } from "../../shared/bytes/index.ts";

const DEFAULT_INPUTS = 5_000;
const MAX_RANDOM_BYTES = 300;

/** How many inputs each decoder gets: FOBNAIL_FUZZ, or 5,000. */
export const fuzzInputs = Number(process.env["FOBNAIL_FUZZ"] ?? DEFAULT_INPUTS);

/** Mulberry32, started from the name's FNV-1a hash: fast, and the same inputs at every run. */
class Dice {
  #state = 0x811c9dc5;

  constructor(name: string) {
    for (const character of name) this.#state = Math.imul(this.#state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  below(max: number): number {
    return max <= 0 ? 0 : this.#next() % max;
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

/** One change to an input: a bit, a byte, a cut, an insertion or an overwritten run. */
function mutate(input: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.below(input.byteLength);
  const kind = dice.below(5);
  if (kind === 2) return input.slice(0, at);
  if (kind === 3) return concat(input.subarray(0, at), dice.bytes(1 + dice.below(8)), input.subarray(at));
  const changed = input.slice();
  if (kind === 0) changed[at] = (changed[at] ?? 0) ^ (1 << dice.below(8));
  else if (kind === 1) changed[at] = [0, 0xff, 0x80, 0x7f, 1][dice.below(5)] ?? 0;
  else changed.set(dice.bytes(Math.min(1 + dice.below(4), changed.byteLength - at)), at);
  return changed;
}

/** Random bytes, or a seed with one to four changes. */
export function* fuzzedInputs(
  name: string,
  seeds: readonly Uint8Array[] = [],
  count = fuzzInputs,
): Generator<Uint8Array> {
  const dice = new Dice(name);
  for (let i = 0; i < count; i++) {
    const seed = seeds[dice.below(seeds.length)];
    let input = seed === undefined || dice.below(4) === 0 ? dice.bytes(dice.below(MAX_RANDOM_BYTES)) : seed;
    if (input === seed) {
      for (let changes = 1 + dice.below(4); changes > 0 && input.byteLength > 0; changes--) input = mutate(input, dice);
    }
    yield input;
  }
}

/** Any input is decoded or refused with CodecError; anything else thrown is a failure that shows the input. */
export function fuzzDecoder(
  name: string,
  decode: (input: Uint8Array) => unknown,
  seeds: readonly Uint8Array[] = [],
): void {
  let refused = 0;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // four fifths of the time would go into the stacks of refusals that nobody reads
  try {
    for (const input of fuzzedInputs(name, seeds)) {
      try {
        decode(input);
      } catch (error) {
        if (!(error instanceof CodecError)) {
          throw new Error(`${name}: ${String(error)} on ${Buffer.from(input).toString("hex")}`, { cause: error });
        }
        refused++;
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  assert.ok(refused > 0, `${name}: no input was refused`);
}

/** Every proper prefix of a good encoding and the encoding with one byte behind it are refused with CodecError. */
export function assertStrict(name: string, decode: (input: Uint8Array) => unknown, good: Uint8Array): void {
  decode(good);
  for (let size = 0; size < good.byteLength; size++) {
    assert.throws(() => decode(good.slice(0, size)), CodecError, `${name}: a prefix of ${size} bytes was accepted`);
  }
  assert.throws(() => decode(Uint8Array.from([...good, 0])), CodecError, `${name}: a trailing byte was accepted`);
}
