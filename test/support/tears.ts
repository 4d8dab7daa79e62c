import { concat } from "../../shared/bytes/index.ts";
import { CLOSED_MARK_AT, OPENED_MARK_AT, PAGE_HEADER_BYTES } from "../../token/storage/format.ts";
import { PAGE_HEADER_1_BYTES } from "../../token/storage/format1.ts";
import { seededRandom } from "./random.ts";

/** What a place holds after a change that power cut short, from what it held `before` and would have held `after`. */
export type Tear = (before: Uint8Array, after: Uint8Array) => Uint8Array;

/** A change of a word that is no longer than this, or of no more bits than that, is torn in every way that there is. */
const WORD_BYTES = 2;
const FEW_BITS = 8;
/** So many seeded subsets of the bits of any other change. */
const SUBSETS = 64;

/** Bytes change one after the other: those before `share` of them did. */
export function firstBytes(share: number): Tear {
  return (before, after) => {
    const done = Math.floor(share * after.byteLength);
    return concat(after.subarray(0, done), before.subarray(done));
  };
}

/** Each bit changes or not, as the bits of `done` say; those beyond its end do not. */
export function onlyBits(done: Uint8Array): Tear {
  return (before, after) => before.map((byte, i) => byte ^ ((byte ^ (after[i] ?? byte)) & (done[i] ?? 0)));
}

/** Bits drawn from a seed: about half, few, or nearly all of them. */
export function seededBits(seed: string, size: number): Uint8Array {
  const random = seededRandom(seed, "tear");
  const [a, b, c, kind = 0] = [random.bytes(size), random.bytes(size), random.bytes(size), random.bytes(1)[0]];
  const few = (at: number) => (a[at] ?? 0) & (b[at] ?? 0) & (c[at] ?? 0);
  if (kind % 4 === 0) return a.map((_, at) => few(at));
  return kind % 4 === 1 ? a.map((_, at) => ~few(at)) : a;
}

/** Everything that power cut may leave of programming: nothing and all of it, too. */
export function* tornPrograms(before: Uint8Array, after: Uint8Array, seed: string): Generator<Uint8Array> {
  const places = bitsOf(before, after);
  if (after.byteLength <= WORD_BYTES || places.length <= FEW_BITS) {
    for (let subset = 0; subset < 2 ** places.length; subset++) {
      const torn = before.slice();
      for (const [n, { at, bit }] of places.entries()) if ((subset >> n) & 1) torn[at] = (torn[at] ?? 0) ^ bit;
      yield torn;
    }
    return;
  }
  for (let n = 0; n < SUBSETS; n++) yield onlyBits(seededBits(`${seed} ${n}`, after.byteLength))(before, after);
  for (let done = 0; done <= after.byteLength; done++) yield concat(after.subarray(0, done), before.subarray(done));
}

function bitsOf(before: Uint8Array, after: Uint8Array): { readonly at: number; readonly bit: number }[] {
  return [...before].flatMap((byte, at) => {
    const changed = byte ^ (after[at] ?? byte);
    return [1, 2, 4, 8, 16, 32, 64, 128].filter((bit) => changed & bit).map((bit) => ({ at, bit }));
  });
}

/** What a torn erasure may leave: anything. */
export function* tornErasures(before: Uint8Array, seed: string): Generator<Uint8Array> {
  const size = before.byteLength;
  const after = new Uint8Array(size).fill(0xff);
  yield* [before.slice(), after, new Uint8Array(size)];
  const random = seededRandom(seed, "residue");
  for (let n = 0; n < 8; n++) yield random.bytes(size);
  for (let n = 0; n < 8; n++) yield onlyBits(seededBits(`${seed} ${n}`, size))(before, after);
  for (const share of [0.01, 0.1, 0.5, 0.9]) {
    const at = Math.floor(share * size);
    yield concat(after.subarray(0, at), before.subarray(at));
    yield concat(before.subarray(0, at), after.subarray(at));
    yield concat(before.subarray(0, at), random.bytes(size - at));
  }
  for (const kept of [PAGE_HEADER_1_BYTES, OPENED_MARK_AT, CLOSED_MARK_AT, PAGE_HEADER_BYTES]) {
    yield* keptHeads(before, kept, seed);
  }
}

/**
 * Residues that begin as the page did, and then with 0: an erasure that programs all to 0 before it erases has done its end and not its beginning.
 * Where a header is kept, its mark reads as set.
 */
export function* keptHeads(before: Uint8Array, kept: number, seed: string): Generator<Uint8Array> {
  const size = before.byteLength;
  const erased = new Uint8Array(size).fill(0xff);
  const one = erased.with(size - 1, 0);
  for (const rest of [new Uint8Array(size), seededRandom(seed, `behind ${kept}`).bytes(size), before, erased, one]) {
    yield concat(before.subarray(0, kept), Uint8Array.of(0), rest.subarray(kept + 1));
  }
}
