import assert from "node:assert/strict";
import { createRamFlash } from "../../hw/flash/index.ts";
import type { Flash, FlashGeometry } from "../../shared/ports/index.ts";
import { OPENED_MARK_AT } from "../../token/storage/format.ts";
import { PAGE_HEADER_1_BYTES } from "../../token/storage/format1.ts";
import { openStore } from "../../token/storage/index.ts";
import { seededRandom } from "./random.ts";
import { keptHeads, onlyBits, seededBits, tornErasures, tornPrograms } from "./tears.ts";

export type Model = ReadonlyMap<string, Uint8Array>;

/** One change of the flash: what was there, and what is there then. */
export interface Change {
  readonly what: "program" | "erase";
  readonly at: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface WrittenFlash extends Flash {
  readonly changes: readonly Change[];
}

/** Flash that writes down each change. */
export function writtenFlash(geometry: FlashGeometry, image: Uint8Array): WrittenFlash {
  const ram = createRamFlash(geometry, image);
  const changes: Change[] = [];
  const { pageBytes } = geometry;
  return {
    ...ram,
    changes,
    program(at, data) {
      changes.push({ what: "program", at, before: ram.read(at, data.byteLength), after: data.slice() });
      ram.program(at, data);
    },
    erase(page) {
      const [at, after] = [page * pageBytes, new Uint8Array(pageBytes).fill(0xff)];
      changes.push({ what: "erase", at, before: ram.read(at, pageBytes), after });
      ram.erase(page);
    },
  };
}

export function contents(store: ReturnType<typeof openStore>): Model {
  return new Map(store.keys("").map((key) => [key, store.get(key) ?? assert.fail(key)]));
}

const NONE = Uint8Array.of(0);

export function same(a: Model, b: Model): boolean {
  return (
    a.size === b.size && [...a].every(([key, value]) => Buffer.compare(value, b.get(key) ?? NONE) === 0 && b.has(key))
  );
}

export interface CutCounts {
  /** Cuts of the work, each with one thing that it left. */
  first: number;
  /** Cuts of starts behind such a cut, and of those behind these. */
  again: number;
}

export interface CutWork {
  readonly name: string;
  readonly geometry: FlashGeometry;
  /** The flash before. */
  readonly image: Uint8Array;
  /** Does the work; tells each state that the store is in, the first one first. */
  run(flash: Flash, state: (now: Model) => void): void;
  /** Only a few things that each cut may leave: for a flash that takes long to start. */
  readonly few?: boolean;
  /** What else must hold once it was started again. */
  holds?: ((flash: Flash, found: Model) => void) | undefined;
}

/** Of the cuts of one change those whose numbers are powers of this are followed by a second cut, at so many changes of the next start at most. */
const AGAIN_POWER = 16;
const AGAIN_CHANGES = 8;
const DEEPEST = 3;

/**
 * Cuts the work at each of its changes in every way of tears.ts, and starts anew: the store must be as it was before the change or after what it
 * belongs to. Starts that change something are themselves cut, and those behind them.
 */
export function cutEverywhere(work: CutWork): CutCounts {
  const flash = writtenFlash(work.geometry, work.image);
  const states: { readonly from: number; readonly model: Model }[] = [];
  work.run(flash, (model) => states.push({ from: flash.changes.length, model }));
  const counts: CutCounts = { first: 0, again: 0 };
  const image = work.image.slice();
  for (const [n, change] of flash.changes.entries()) {
    const at = Math.max(
      0,
      states.findLastIndex(({ from }) => from <= n),
    );
    const scene = { work, counts, allowed: states.slice(at, at + 2).map(({ model }) => model) };
    let [nth, next] = [0, work.few && n % AGAIN_CHANGES > 0 ? Number.POSITIVE_INFINITY : 1];
    const seed = `${work.name} ${n}`;
    for (const torn of work.few ? someOf(change, seed) : tornBy(change, seed)) {
      image.set(torn, change.at);
      const where = `${work.name}: cut ${nth} of change ${n}`;
      counts.first++;
      const mending = start(scene, image, where);
      if (nth++ === next) {
        next *= AGAIN_POWER;
        cutAgain(scene, image, mending, where, 2);
      }
    }
    image.set(change.after, change.at);
  }
  return counts;
}

/** Everything of tears.ts that a torn change may leave. */
export function tornBy({ what, before, after }: Change, seed: string): Generator<Uint8Array> {
  return what === "program" ? tornPrograms(before, after, seed) : tornErasures(before, seed);
}

interface Scene {
  readonly work: CutWork;
  readonly counts: CutCounts;
  readonly allowed: readonly Model[];
}

/** Starts on a copy of the image; what that changed. */
function start({ work, allowed }: Scene, image: Uint8Array, where: string): readonly Change[] {
  const flash = writtenFlash(work.geometry, image);
  try {
    const found = contents(openStore(flash));
    const state = allowed.findIndex((model) => same(model, found));
    if (state < 0) assert.fail(`neither before nor after: ${[...found.keys()].join(" ")}`);
    work.holds?.(flash, found);
  } catch (error) {
    throw new Error(`${where}: ${String(error)}`, { cause: error });
  }
  return flash.changes;
}

/** Cuts a start that changes the flash so; behind one of its cuts the next start as well. */
function cutAgain(scene: Scene, image: Uint8Array, changes: readonly Change[], where: string, depth: number): void {
  const every = Math.ceil(changes.length / AGAIN_CHANGES);
  const { first } = scene.counts; // other changes behind each first cut, so that in the end none is left out
  const deeper = depth < DEEPEST ? first % AGAIN_CHANGES : -1;
  const at = image.slice();
  for (const [n, change] of changes.entries()) {
    for (const [nth, torn] of n % every === first % every ? someOf(change, `${where} ${n}`).entries() : []) {
      at.set(torn, change.at);
      const here = `${where}, ${nth} of change ${n} of the next start`;
      scene.counts.again++;
      const mending = start(scene, at, here);
      if (Math.floor(n / every) === deeper && nth === 1) cutAgain(scene, at, mending, here, depth + 1);
    }
    at.set(change.after, change.at);
  }
}

/** A few things that a torn change may leave. */
function someOf({ what, before, after }: Change, seed: string): readonly Uint8Array[] {
  const some = [before, onlyBits(seededBits(seed, after.byteLength))(before, after), after];
  if (what === "program") return some;
  const random = seededRandom(seed, "residue").bytes(after.byteLength);
  const heads = [PAGE_HEADER_1_BYTES, OPENED_MARK_AT].flatMap((kept) => [...keptHeads(before, kept, seed)].slice(0, 2));
  return [...some, random, new Uint8Array(after.byteLength), ...heads];
}

export function told({ first, again }: CutCounts): string {
  return `${first} power cuts, and ${again} of the starts after them`;
}
