const CHUNK_BYTES = 8_192;
/** What is larger gets an array of its own: less than that is lost at the end of a chunk. */
const LARGEST_BYTES = CHUNK_BYTES / 4;

/**
 * Cuts small arrays out of large ones: an allocation of its own, and its collection, costs ten times as much for each as to fill it. A chunk is
 * kept as long as any piece of it, so a slab is for pieces that are let go of in about the order in which they were taken.
 */
export class Slab {
  #chunk = new Uint8Array(0);
  #at = 0;

  /** That many zeros. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes > LARGEST_BYTES) return new Uint8Array(sizeBytes);
    if (sizeBytes > this.#chunk.byteLength - this.#at) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += sizeBytes;
    return this.#chunk.subarray(at, this.#at);
  }
}
