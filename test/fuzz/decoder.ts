/** One row of the inventory of decoders: how it is called, what it takes, and where it is lenient on purpose. */
import { type Codec, CodecError, decode, encode } from "../../shared/bytes/index.ts";
import { type CborSchema, decodeCbor, encodeCbor } from "../../shared/cbor/index.ts";

export interface Decoder {
  readonly name: string;
  /** The exported codec or schema, by which the inventory is checked to be complete. */
  readonly source?: unknown;
  readonly decode: (input: Uint8Array) => unknown;
  /** Decodes and encodes again, where there is an encoder. */
  readonly recode?: (input: Uint8Array) => Uint8Array;
  /** Good encodings. */
  readonly seeds: readonly Uint8Array[];
  readonly exceptions: Exceptions;
}

/** Each with its reason. */
export interface Exceptions {
  /** Why some proper prefixes are good, too. */
  readonly prefix?: string;
  /** Why a byte behind a good encoding may be borne. */
  readonly trailing?: string;
  /** Why other encodings of the same value are read than the one that is written. */
  readonly loose?: string;
  /** Puts checksums right, so that changes reach what lies behind them. Used for a half of the inputs. */
  readonly mend?: (input: Uint8Array) => Uint8Array;
}

export function ofCodec<T>(
  name: string,
  codec: Codec<T>,
  seeds: readonly Uint8Array[],
  exceptions: Exceptions = {},
): Decoder {
  return {
    name,
    source: codec,
    decode: (input) => decode(codec, input),
    recode: (input) => encode(codec, decode(codec, input)),
    seeds,
    exceptions,
  };
}

/** The same with values that the seeds are encoded from. */
export function ofValues<T>(name: string, codec: Codec<T>, values: readonly T[], exceptions?: Exceptions): Decoder {
  return ofCodec(
    name,
    codec,
    values.map((value) => encode(codec, value)),
    exceptions,
  );
}

export function ofSchema<T>(
  name: string,
  schema: CborSchema<T>,
  seeds: readonly Uint8Array[],
  exceptions: Exceptions = { loose: "maps may have any order of entries, and indefinite length" },
): Decoder {
  return {
    name,
    source: schema,
    decode: (input) => decodeCbor(schema, input),
    recode: (input) => encodeCbor(schema, decodeCbor(schema, input)),
    seeds,
    exceptions,
  };
}

export function ofFunction(
  name: string,
  decoder: (input: Uint8Array) => unknown,
  seeds: readonly Uint8Array[],
  exceptions: Exceptions = {},
): Decoder {
  return { name, source: decoder, decode: decoder, seeds, exceptions };
}

/** With an encoder that gives back what was decoded. */
export function both<T>(
  name: string,
  decoder: (input: Uint8Array) => T,
  encoder: (value: T) => Uint8Array,
  seeds: readonly Uint8Array[],
  exceptions: Exceptions = {},
): Decoder {
  const recode = (input: Uint8Array) => encoder(decoder(input));
  return { name, source: decoder, decode: decoder, recode, seeds, exceptions };
}

/** A decoder with another way to refuse: undefined, or an error of its own class. */
export function refusing<T>(
  decoder: (input: Uint8Array) => T | undefined,
  refusal?: abstract new (...args: never) => Error,
): (input: Uint8Array) => T {
  return (input) => {
    let value: T | undefined;
    try {
      value = decoder(input);
    } catch (error) {
      if (refusal === undefined || !(error instanceof refusal)) throw error;
      throw new CodecError(error.message, "", 0, { cause: error });
    }
    if (value === undefined) throw new CodecError("refused", "", 0);
    return value;
  };
}

/** Hexadecimal with blanks, laid out by hand. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s/g, "").match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}
