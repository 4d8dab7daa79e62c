/** The plain subset of CBOR (RFC 8949) that the protocol speaks: no tags, no floats, text-string keys. Integers are safe integers of JavaScript. */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<string, CborValue>;

/** Bounds on one item; a peer's item beyond them is malformed. */
export interface CborLimits {
  /** Encoded size of the whole item. */
  readonly maxBytes: number;
  /** Arrays and maps within each other. */
  readonly maxDepth: number;
}

export const DEFAULT_LIMITS: CborLimits = { maxBytes: 64 * 1024, maxDepth: 16 };

/** A map whose encoding has indefinite length (RFC 8949, 3.2.2), as the reference token sends it. Decoding does not tell the two apart. */
export class IndefiniteMap extends Map<string, CborValue> {}
