import { CodecError } from "../../shared/bytes/index.ts";
import { corpusOf } from "./corpus.ts";
import type { Decoder } from "./decoder.ts";
import { MAX_INPUT_BYTES } from "./draft.ts";
import { type Family, families } from "./inventory.ts";
import { receivers } from "./receivers/index.ts";
import type { Feed, Target } from "./target.ts";

const toText = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** Where one encoding belongs to one value, what was accepted is written again as it was. */
export function takeFor({ decode, recode, exceptions }: Decoder): Feed["take"] {
  const canonical = exceptions.loose === undefined ? recode : undefined;
  return (input) => {
    try {
      if (canonical === undefined) {
        decode(input);
        return true;
      }
      const written = canonical(input);
      if (Buffer.compare(written, input) === 0) return true;
      throw new Error(`is written as ${toText(written)}`);
    } catch (error) {
      if (error instanceof CodecError) return false;
      throw error;
    }
  };
}

export function decoderTarget(decoder: Decoder, { name, tokens }: Pick<Family, "name" | "tokens">): Target {
  const longest = Math.max(...decoder.seeds.map(({ byteLength }) => byteLength));
  if (longest > MAX_INPUT_BYTES) throw new RangeError(`${decoder.name}: a seed of ${longest} bytes would be cut`);
  return {
    name: decoder.name,
    remembers: false,
    seeds: decoder.seeds,
    tokens,
    corpus: corpusOf(name, decoder.name),
    mend: decoder.exceptions.mend,
    open: () => ({ take: takeFor(decoder), end: () => undefined }),
  };
}

/** Those that take longest first, so that workers end together. */
export const targets: readonly Target[] = [
  ...receivers,
  ...families.flatMap((family) => family.decoders.map((decoder) => decoderTarget(decoder, family))),
];
