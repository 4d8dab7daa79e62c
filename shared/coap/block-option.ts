import { type CoapOption, optionValue, uintOption, uintValue } from "./option.ts";

/** RFC 7959, section 2.2. */
export interface Block {
  /** NUM: which block, counted in blocks of this size. */
  readonly number: number;
  /** M: more blocks follow. */
  readonly more: boolean;
  /** SZX: the block holds 2 ** (exponent + 4) bytes. 7 is reserved. */
  readonly exponent: number;
}

export type BlockSize = 16 | 32 | 64 | 128 | 256 | 512 | 1024;

export const MAX_EXPONENT = 6;
const RESERVED_EXPONENT = 7;
const MAX_BLOCK_NUMBER = 0xf_ffff;

export function blockBytes(exponent: number): number {
  return 1 << (exponent + 4);
}

export function exponentOf(size: BlockSize): number {
  return Math.log2(size) - 4;
}

/** Where the block begins in the body, in bytes. */
export function blockStart(block: Block): number {
  return block.number * blockBytes(block.exponent);
}

/** The block option in `options`; "malformed" for the reserved size and for values over three bytes. */
export function readBlock(options: readonly CoapOption[], number: number): Block | "malformed" | undefined {
  const bytes = optionValue(options, number);
  if (bytes === undefined) return undefined;
  const value = uintValue(bytes);
  if (value === undefined || value > 0xff_ffff) return "malformed";
  const exponent = value & 0x07;
  return exponent === RESERVED_EXPONENT ? "malformed" : { number: value >> 4, more: (value & 0x08) !== 0, exponent };
}

export function blockOption(number: number, block: Block): CoapOption {
  if (block.number > MAX_BLOCK_NUMBER) throw new RangeError(`block number ${block.number}`);
  return uintOption(number, (block.number << 4) | (block.more ? 0x08 : 0) | block.exponent);
}

/** The block of `body` that begins at byte `start`, and its option's value. */
export function sliceBlock(body: Uint8Array, start: number, exponent: number): { block: Block; payload: Uint8Array } {
  const end = start + blockBytes(exponent);
  return {
    block: { number: start / blockBytes(exponent), more: end < body.byteLength, exponent },
    payload: body.subarray(start, end),
  };
}
