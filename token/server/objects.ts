import { Reader } from "../../shared/bytes/index.ts";
import type { Random } from "../../shared/ports/index.ts";

/** Ids that are not in use: random, 32 bits, of all objects of a session together. */
export interface ObjectIds {
  draw(): number;
  release(id: number): void;
}

const ID_BYTES = 4;

export function createIds(random: Random): ObjectIds {
  const used = new Set<number>();
  return {
    draw() {
      let id = new Reader(random.bytes(ID_BYTES)).u32be();
      while (used.has(id)) id = new Reader(random.bytes(ID_BYTES)).u32be();
      used.add(id);
      return id;
    },
    release: (id) => used.delete(id),
  };
}

/** The objects of one kind in a session, by id. Full, the oldest gives way. */
export class ObjectTable<T> {
  readonly #objects = new Map<number, T>();
  readonly #ids: ObjectIds;
  readonly #max: number;
  readonly #onAsked: () => void;

  /** `onAsked` is called when one of them is asked for. */
  constructor(ids: ObjectIds, max: number, onAsked: () => void) {
    this.#ids = ids;
    this.#max = max;
    this.#onAsked = onAsked;
  }

  add(value: T): number {
    for (const oldest of this.#objects.keys()) {
      if (this.#objects.size < this.#max) break;
      this.remove(oldest);
    }
    const id = this.#ids.draw();
    this.#objects.set(id, value);
    return id;
  }

  get(id: number): T | undefined {
    const value = this.#objects.get(id);
    if (value !== undefined) this.#onAsked();
    return value;
  }

  /** Gives it away: the id means nothing afterwards. */
  take(id: number): T | undefined {
    const value = this.get(id);
    this.remove(id);
    return value;
  }

  remove(id: number): void {
    if (this.#objects.delete(id)) this.#ids.release(id);
  }

  clear(): void {
    for (const id of [...this.#objects.keys()]) this.remove(id);
  }

  get size(): number {
    return this.#objects.size;
  }
}

/** An id as paths carry it: decimal, in its one way of writing. */
export function idOf(text: string | undefined): number | undefined {
  const id = Number(text);
  return String(id) === text && Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff ? id : undefined;
}
