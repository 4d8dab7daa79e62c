const CHUNK_BYTES = 8_192;

/**
 * Copies of byte strings, dropped in about the order in which they were added. They lie side by side in a few large arrays that are filled again
 * once nothing in them is left: nothing is allocated for one, and nothing has to be collected. Never hand out what `at` gives: it changes.
 */
export class RecordLog {
  readonly #chunks: Uint8Array[] = [];
  /** Records in each chunk. */
  readonly #left: number[] = [];
  readonly #empty: number[] = [];
  #current = 0;
  #filled = 0;

  /** Of all arrays together. */
  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  /** Where the copy lies. */
  add(bytes: Uint8Array): number {
    const chunk = this.#chunkFor(bytes.byteLength);
    const place = this.#current * CHUNK_BYTES + this.#filled;
    chunk.set(bytes, this.#filled);
    this.#filled += bytes.byteLength;
    this.#left[this.#current] = (this.#left[this.#current] ?? 0) + 1;
    return place;
  }

  at(place: number, sizeBytes: number): Uint8Array {
    const start = place % CHUNK_BYTES;
    return this.#chunk(Math.floor(place / CHUNK_BYTES)).subarray(start, start + sizeBytes);
  }

  drop(place: number): void {
    const number = Math.floor(place / CHUNK_BYTES);
    const left = (this.#left[number] ?? 0) - 1;
    this.#left[number] = left;
    if (left === 0 && number !== this.#current) this.#empty.push(number);
  }

  /** The current chunk, or another one when it is full. One record that is larger than a chunk gets a chunk of its size. */
  #chunkFor(sizeBytes: number): Uint8Array {
    const current = this.#chunks[this.#current];
    const fits = current !== undefined && this.#filled + sizeBytes <= current.byteLength;
    if (fits && this.#filled < CHUNK_BYTES) return current; // a place says where in the first CHUNK_BYTES a record begins
    if (current !== undefined && this.#left[this.#current] === 0) this.#empty.push(this.#current);
    this.#filled = 0;
    const fitting = this.#empty.findIndex((number) => this.#chunk(number).byteLength >= sizeBytes);
    if (fitting >= 0) {
      [this.#current = 0] = this.#empty.splice(fitting, 1);
      return this.#chunk(this.#current);
    }
    const made = new Uint8Array(Math.max(CHUNK_BYTES, sizeBytes));
    this.#current = this.#chunks.push(made) - 1;
    return made;
  }

  #chunk(number: number): Uint8Array {
    const chunk = this.#chunks[number];
    if (chunk === undefined) throw new RangeError(`no chunk ${number}`);
    return chunk;
  }
}
