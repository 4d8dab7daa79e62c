import assert from "node:assert/strict";
import { CodecError } from "../../shared/bytes/index.ts";
import type { Random } from "../../shared/ports/index.ts";

const DEFAULT_INPUTS = 5_000;
const MAX_RANDOM_BYTES = 300;

/** How many inputs each decoder gets: FOBNAIL_FUZZ, or 5,000. */
export const fuzzInputs = Number(process.env["FOBNAIL_FUZZ"] ?? DEFAULT_INPUTS);

/** Mulberry32, started from the name's FNV-1a hash: fast, and the same inputs at every run. */
function fastRandom(name: string): Random {
  let state = 0x811c9dc5;
  for (const character of name) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return { bytes: (size) => Uint8Array.from({ length: size }, () => next() & 0xff) };
}

function number(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

type Below = (max: number) => number;

/** One change to an input: a bit, a byte, a cut, an insertion or an overwritten run. */
function mutate(input: Uint8Array, random: Random, below: Below): Uint8Array {
  const at = below(input.byteLength);
  const kind = below(5);
  if (kind === 2) return input.slice(0, at);
  if (kind === 3)
    return Uint8Array.from([...input.subarray(0, at), ...random.bytes(1 + below(8)), ...input.subarray(at)]);
  const changed = input.slice();
  if (kind === 0) changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
  else if (kind === 1) changed[at] = [0, 0xff, 0x80, 0x7f, 1][below(5)] ?? 0;
  else changed.set(random.bytes(Math.min(1 + below(4), changed.byteLength - at)), at);
  return changed;
}

/** Random bytes, or a seed with one to four changes. */
function* inputs(seeds: readonly Uint8Array[], count: number, name: string): Generator<Uint8Array> {
  const random = fastRandom(name);
  const below: Below = (max) => (max <= 0 ? 0 : number(random.bytes(4)) % max);
  for (let i = 0; i < count; i++) {
    const seed = seeds[below(seeds.length)];
    let input = seed === undefined || below(4) === 0 ? random.bytes(below(MAX_RANDOM_BYTES)) : seed;
    if (input === seed) {
      for (let changes = 1 + below(4); changes > 0 && input.byteLength > 0; changes--)
        input = mutate(input, random, below);
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
    for (const input of inputs(seeds, fuzzInputs, name)) {
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
