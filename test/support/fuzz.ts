import assert from "node:assert/strict";
import { CodecError } from "../../shared/bytes/index.ts";
import { InputSource } from "../fuzz/inputs.ts";

const DEFAULT_INPUTS = 5_000;

/** How many inputs each decoder gets: FOBNAIL_FUZZ, or 5,000. */
export const fuzzInputs = Number(process.env["FOBNAIL_FUZZ"] ?? DEFAULT_INPUTS);

/** Random bytes, or a seed with one to four changes. */
export function* fuzzedInputs(
  name: string,
  seeds: readonly Uint8Array[] = [],
  count = fuzzInputs,
): Generator<Uint8Array> {
  const source = new InputSource(name, { seeds, tokens: [] });
  for (let i = 0; i < count; i++) yield source.next();
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
