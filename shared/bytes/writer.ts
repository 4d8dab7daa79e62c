/** What the engine keeps beside the object itself: a larger array costs an allocation of its own. */
const FIRST_BYTES = 64;
/** Such an allocation costs the same for some hundred bytes more, and a second one is saved. */
const SECOND_BYTES = 512;

/** A growing buffer. Values out of range throw RangeError: an encoder that is handed one has a bug in its caller. */
export class Writer {
  // Without a DataView: making one costs more than what most writers write. A typed array keeps the low 8 bits of a number.
  #bytes: Uint8Array;
  #at = 0;

  /** Writes into `room` as long as that holds it: where the size is known, nothing has to be copied. */
  constructor(room: Uint8Array = new Uint8Array(FIRST_BYTES)) {
    this.#bytes = room;
  }

  get offset(): number {
    return this.#at;
  }

  #grow(size: number): number {
    const at = this.#at;
    const needed = at + size;
    if (needed > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.byteLength * 2, SECOND_BYTES));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#at = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = unsigned(value, 0xff);
    return this;
  }

  u16be(value: number): this {
    const at = this.#grow(2);
    this.#bytes[at] = unsigned(value, 0xffff) >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  u32be(value: number): this {
    const at = this.#grow(4);
    this.#bytes[at] = unsigned(value, 0xffff_ffff) >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    return this;
  }

  u64be(value: bigint): this {
    const high = Number(unsigned64(value) >> 32n);
    return this.u32be(high).u32be(Number(value & 0xffff_ffffn));
  }

  u16le(value: number): this {
    const at = this.#grow(2);
    this.#bytes[at] = unsigned(value, 0xffff);
    this.#bytes[at + 1] = value >>> 8;
    return this;
  }

  u32le(value: number): this {
    const at = this.#grow(4);
    this.#bytes[at] = unsigned(value, 0xffff_ffff);
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value >>> 16;
    this.#bytes[at + 3] = value >>> 24;
    return this;
  }

  u64le(value: bigint): this {
    const low = Number(unsigned64(value) & 0xffff_ffffn);
    return this.u32le(low).u32le(Number(value >> 32n));
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  /** What was written, in an array of its own. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /** What was written. Nothing that is written behind it changes it: a full array is left for a larger one. */
  finish(): Uint8Array {
    return this.#at === this.#bytes.byteLength ? this.#bytes : this.#bytes.slice(0, this.#at);
  }
}

function unsigned(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0..${max}`);
  return value;
}

function unsigned64(value: bigint): bigint {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`${value} is not within 0..2^64-1`);
  return value;
}
