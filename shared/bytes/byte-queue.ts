const FIRST_CAPACITY = 256;

/**
 * Bytes of a stream as they come, until there are enough of them for what is read next. Costs the same for one large chunk
 * as for many small ones. Whoever feeds it bounds it: `size` is what it holds.
 */
export class ByteQueue {
  #bytes: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #from = 0;
  #to = 0;

  get size(): number {
    return this.#to - this.#from;
  }

  push(chunk: Uint8Array): void {
    this.#makeRoom(chunk.byteLength);
    this.#bytes.set(chunk, this.#to);
    this.#to += chunk.byteLength;
  }

  /** The next `size` bytes without taking them, or undefined. A view that holds until the next call. */
  peek(size: number): Uint8Array | undefined {
    return size <= this.size ? this.#bytes.subarray(this.#from, this.#from + size) : undefined;
  }

  /** The next `size` bytes, a copy; undefined, and nothing is taken, when they are not there yet. */
  take(size: number): Uint8Array | undefined {
    const taken = this.peek(size)?.slice();
    if (taken === undefined) return undefined;
    this.#from += size;
    if (this.size === 0) this.clear();
    return taken;
  }

  clear(): void {
    this.#from = 0;
    this.#to = 0;
    if (this.#bytes.byteLength > FIRST_CAPACITY) this.#bytes = new Uint8Array(FIRST_CAPACITY);
  }

  #makeRoom(more: number): void {
    const needed = this.size + more;
    if (this.#to + more <= this.#bytes.byteLength) return;
    // Twice as much as is held, so that moving it costs no more than what came since the last time.
    const roomy = needed * 2 <= this.#bytes.byteLength ? this.#bytes : new Uint8Array(needed * 2);
    roomy.set(this.#bytes.subarray(this.#from, this.#to));
    this.#bytes = roomy;
    this.#to = this.size;
    this.#from = 0;
  }
}
