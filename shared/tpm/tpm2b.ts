/** TPM2B_*: a 16-bit size, then the content. Only such a parameter can be encrypted in a session (Part 1, 21). */
import { type Codec, framed, sized, u16be } from "../bytes/index.ts";

const ALL = new WeakSet<object>();

/** A sized buffer of plain bytes. */
export function tpm2b(max: number, min = 0): Codec<Uint8Array> {
  const codec = sized(u16be, max, min);
  ALL.add(codec);
  return codec;
}

/** A sized buffer that holds a structure. */
export function tpm2bOf<T>(inner: Codec<T>, max: number): Codec<T> {
  const codec = framed(u16be, inner, max);
  ALL.add(codec);
  return codec;
}

/** Whether a codec is one of those. */
export function isTpm2b(codec: object | undefined): boolean {
  return codec !== undefined && ALL.has(codec);
}
