import assert from "node:assert/strict";
import { CodecError } from "../../shared/bytes/index.ts";
import { seededRandom } from "./random.ts";

const DEFAULT_INPUTS = 5_000;
const MAX_RANDOM_BYTES = 300;

/** How many inputs each decoder gets: FOBNAIL_FUZZ, or 5,000. */
export const fuzzInputs = Number(process.env["FOBNAIL_FUZZ"] ?? DEFAULT_INPUTS);

function number(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** One input: random bytes, or a seed with bytes flipped, cut, doubled or overwritten. */
function* inputs(seeds: readonly Uint8Array[], count: number, name: string): Generator<Uint8Array> {
  const random = seededRandom(1, name);
  const below = (max: number) => (max <= 0 ? 0 : number(random.bytes(4)) % max);
  for (let i = 0; i < count; i++) {
    const seed = seeds[below(seeds.length)];
    if (seed === undefined || seed.byteLength === 0 || below(4) === 0) {
      yield random.bytes(below(MAX_RANDOM_BYTES));
      continue;
    }
    let input = seed.slice();
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(input.byteLength);
      const kind = below(5);
      if (kind === 0) input[at] = (input[at] ?? 0) ^ (1 << below(8));
      else if (kind === 1) input[at] = [0, 0xff, 0x80, 0x7f, 1][below(5)] ?? 0;
      else if (kind === 2) input = input.slice(0, at);
      else if (kind === 3)
        input = Uint8Array.from([...input.subarray(0, at), ...random.bytes(1 + below(8)), ...input.subarray(at)]);
      else input.set(random.bytes(Math.min(1 + below(4), input.byteLength - at)), at);
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
