/** Changes to an input: blind ones, and such as know what formats are made of (lengths, numbers, heads, parts of other inputs). */
import { concat } from "../../shared/bytes/index.ts";
import type { Dice } from "./dice.ts";
import type { Draft } from "./draft.ts";
import { changeWithLength } from "./lengths.ts";

/** What a change may draw from beside the input. */
export interface Material {
  /** Good encodings, to take parts from. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces with a meaning in the format: constants, heads. */
  readonly tokens: readonly Uint8Array[];
}

type Mutation = (draft: Draft, dice: Dice, material: Material) => void;

const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** What nests, one level a repetition; one of so many repetitions overflows a stack that is used up by each level. */
const TOWER_BYTES = 30_000;

const setByte: Mutation = ({ bytes, size }, dice) => {
  bytes[dice.below(size)] = dice.pick([0, 0xff, 0x80, 0x7f, 1]) ?? 0;
};

const flipBit: Mutation = ({ bytes, size }, dice) => {
  const at = dice.below(size);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
};

const cutOff: Mutation = (draft, dice) => draft.cutOff(dice.below(draft.size));

const insert: Mutation = (draft, dice) => {
  const at = dice.below(draft.size + 1);
  draft.replace(at, 0, dice.bytes(1 + dice.below(8)));
};

const overwrite: Mutation = ({ bytes, size }, dice) => {
  const at = dice.below(size);
  bytes.set(dice.bytes(Math.min(1 + dice.below(4), size - at)), at);
};

const remove: Mutation = (draft, dice) => {
  const at = dice.below(draft.size);
  draft.replace(at, 1 + dice.below(16));
};

/** A number of one, two or four bytes a little larger or smaller, or at the edge of what it can hold. */
const changeNumber: Mutation = ({ view, size }, dice) => {
  const width = dice.pick([1, 2, 4]) ?? 1;
  if (width > size) return;
  const at = dice.below(size - width + 1);
  const isLittle = dice.below(2) === 0;
  const near = dice.below(33) - 16;
  const edge = dice.below(3) === 0 ? dice.pick(EDGES) : undefined;
  if (width === 1) view.setUint8(at, edge ?? view.getUint8(at) + near);
  else if (width === 2) view.setUint16(at, edge ?? view.getUint16(at, isLittle) + near, isLittle);
  else view.setUint32(at, edge ?? view.getUint32(at, isLittle) + near, isLittle);
};

/** A run of it once more, or several times. */
const repeat: Mutation = (draft, dice) => {
  const at = dice.below(draft.size);
  const length = 1 + dice.below(32);
  draft.repeat(at, length, 1 + (dice.below(4) === 0 ? dice.below(40) : 0));
};

/** Its beginning, and the end of another. */
const splice: Mutation = (draft, dice, { seeds }) => {
  const other = dice.pick(seeds) ?? draft.finish();
  const at = dice.below(draft.size + 1);
  draft.replace(at, draft.size - at, other.subarray(dice.below(other.byteLength + 1)));
};

/** A part of another in the place of as many bytes. */
const transplant: Mutation = (draft, dice, { seeds }) => {
  const other = dice.pick(seeds) ?? draft.finish();
  const from = dice.below(other.byteLength);
  const part = other.subarray(from, from + 1 + dice.below(40));
  draft.replace(dice.below(draft.size), part.byteLength, part);
};

const putToken: Mutation = (draft, dice, material) => {
  const token = dice.pick(material.tokens);
  if (token === undefined) return setByte(draft, dice, material);
  const at = dice.below(draft.size);
  draft.replace(at, dice.below(2) === 0 ? 0 : token.byteLength, token);
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

/** One change. */
export function mutate(draft: Draft, dice: Dice, material: Material): void {
  if (draft.size === 0) draft.start(dice.bytes(1 + dice.below(8)));
  else (dice.pick(mutations) ?? setByte)(draft, dice, material);
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
