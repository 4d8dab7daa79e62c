/** Changes to an input: blind ones, and such as know what formats are made of (lengths, numbers, heads, parts of other inputs). */
import { concat } from "../../shared/bytes/index.ts";
import type { Dice } from "./dice.ts";
import { changeWithLength } from "./lengths.ts";

/** What a change may draw from beside the input. */
export interface Material {
  /** Good encodings, to take parts from. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces with a meaning in the format: constants, heads. */
  readonly tokens: readonly Uint8Array[];
}

type Mutation = (input: Uint8Array, dice: Dice, material: Material) => Uint8Array;

/** No input grows longer, but for towers. */
export const MAX_INPUT_BYTES = 4096;
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** What nests, one level a repetition; one of so many repetitions overflows a stack that is used up by each level. */
const TOWER_BYTES = 30_000;

const setByte: Mutation = (input, dice) => {
  const changed = input.slice();
  changed[dice.below(input.byteLength)] = dice.pick([0, 0xff, 0x80, 0x7f, 1]) ?? 0;
  return changed;
};

const flipBit: Mutation = (input, dice) => {
  const at = dice.below(input.byteLength);
  const changed = input.slice();
  changed[at] = (changed[at] ?? 0) ^ (1 << dice.below(8));
  return changed;
};

const cutOff: Mutation = (input, dice) => input.slice(0, dice.below(input.byteLength));

const insert: Mutation = (input, dice) => {
  const at = dice.below(input.byteLength + 1);
  return concat(input.subarray(0, at), dice.bytes(1 + dice.below(8)), input.subarray(at));
};

const overwrite: Mutation = (input, dice) => {
  const changed = input.slice();
  const at = dice.below(input.byteLength);
  changed.set(dice.bytes(Math.min(1 + dice.below(4), changed.byteLength - at)), at);
  return changed;
};

const remove: Mutation = (input, dice) => {
  const at = dice.below(input.byteLength);
  return concat(input.subarray(0, at), input.subarray(at + 1 + dice.below(16)));
};

/** A number of one, two or four bytes a little larger or smaller, or at the edge of what it can hold. */
const changeNumber: Mutation = (input, dice) => {
  const changed = input.slice();
  const view = new DataView(changed.buffer);
  const width = dice.pick([1, 2, 4]) ?? 1;
  if (width > changed.byteLength) return changed;
  const at = dice.below(changed.byteLength - width + 1);
  const isLittle = dice.below(2) === 0;
  const near = dice.below(33) - 16;
  const edge = dice.below(3) === 0 ? dice.pick(EDGES) : undefined;
  if (width === 1) view.setUint8(at, edge ?? view.getUint8(at) + near);
  else if (width === 2) view.setUint16(at, edge ?? view.getUint16(at, isLittle) + near, isLittle);
  else view.setUint32(at, edge ?? view.getUint32(at, isLittle) + near, isLittle);
  return changed;
};

/** A run of it once more, or several times. */
const repeat: Mutation = (input, dice) => {
  const at = dice.below(input.byteLength);
  const run = input.subarray(at, at + 1 + dice.below(32));
  const times = 1 + (dice.below(4) === 0 ? dice.below(40) : 0);
  return concat(input.subarray(0, at), ...new Array<Uint8Array>(times).fill(run), input.subarray(at));
};

/** Its beginning, and the end of another. */
const splice: Mutation = (input, dice, { seeds }) => {
  const other = dice.pick(seeds) ?? input;
  return concat(input.subarray(0, dice.below(input.byteLength + 1)), other.subarray(dice.below(other.byteLength + 1)));
};

/** A part of another in the place of as many bytes. */
const transplant: Mutation = (input, dice, { seeds }) => {
  const other = dice.pick(seeds) ?? input;
  const from = dice.below(other.byteLength);
  const part = other.subarray(from, from + 1 + dice.below(40));
  const at = dice.below(input.byteLength);
  return concat(input.subarray(0, at), part, input.subarray(at + part.byteLength));
};

const putToken: Mutation = (input, dice, { tokens }) => {
  const token = dice.pick(tokens);
  if (token === undefined) return setByte(input, dice, { seeds: [], tokens });
  const at = dice.below(input.byteLength);
  return concat(input.subarray(0, at), token, input.subarray(dice.below(2) === 0 ? at : at + token.byteLength));
};

const mutations: readonly Mutation[] = [
  setByte,
  flipBit,
  flipBit,
  cutOff,
  insert,
  overwrite,
  overwrite,
  remove,
  changeNumber,
  changeNumber,
  repeat,
  splice,
  transplant,
  putToken,
  putToken,
  changeWithLength,
  changeWithLength,
];

/** One change; never longer than MAX_INPUT_BYTES. */
export function mutate(input: Uint8Array, dice: Dice, material: Material): Uint8Array {
  if (input.byteLength === 0) return dice.bytes(1 + dice.below(8));
  return (dice.pick(mutations) ?? setByte)(input, dice, material).subarray(0, MAX_INPUT_BYTES);
}

/** A token or a short run of a seed, over and over, behind a seed's beginning: what nests goes deep. */
export function tower(dice: Dice, { seeds, tokens }: Material): Uint8Array {
  const seed = dice.pick(seeds) ?? new Uint8Array(0);
  const at = dice.below(seed.byteLength + 1);
  const run = dice.pick(tokens);
  const floor = run !== undefined && dice.below(2) === 0 ? run : seed.slice(at, at + 1 + dice.below(4));
  const high = floor.byteLength === 0 ? dice.bytes(1) : floor;
  const built = Buffer.alloc(TOWER_BYTES, high);
  return concat(seed.subarray(0, at), built);
}
