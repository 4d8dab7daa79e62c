import { CodecError } from "./error.ts";

/** A strict cursor: every read is checked against the end; nothing is returned short. Slices are views, not copies. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #end: number;
  #at: number;

  /** `base` is where `bytes` lies in the outermost buffer, so that offsets in errors count from there. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.#end = bytes.byteLength;
    this.#at = 0;
  }

  get offset(): number {
    return this.#base + this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  fail(problem: string): never {
    throw new CodecError(problem, "", this.offset);
  }

  #take(size: number): number {
    if (size > this.remaining) this.fail(`${size} bytes wanted, ${this.remaining} left`);
    const at = this.#at;
    this.#at += size;
    return at;
  }

  // Without a DataView: making one costs more than what most readers read.
  #octet(at: number): number {
    return this.#bytes[at] ?? 0; // #take has looked at the end
  }

  u8(): number {
    return this.#octet(this.#take(1));
  }

  u16be(): number {
    const at = this.#take(2);
    return (this.#octet(at) << 8) | this.#octet(at + 1);
  }

  u32be(): number {
    const at = this.#take(4);
    const high = (this.#octet(at) << 24) | (this.#octet(at + 1) << 16);
    return (high | (this.#octet(at + 2) << 8) | this.#octet(at + 3)) >>> 0;
  }

  u64be(): bigint {
    const at = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getBigUint64(0);
  }

  u16le(): number {
    const at = this.#take(2);
    return this.#octet(at) | (this.#octet(at + 1) << 8);
  }

  u32le(): number {
    const at = this.#take(4);
    const low = this.#octet(at) | (this.#octet(at + 1) << 8);
    return (low | (this.#octet(at + 2) << 16) | (this.#octet(at + 3) << 24)) >>> 0;
  }

  u64le(): bigint {
    const at = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getBigUint64(0, true);
  }

  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** The next byte without taking it; undefined at the end. */
  peek(): number | undefined {
    return this.remaining > 0 ? this.#bytes[this.#at] : undefined;
  }

  /** A cursor over exactly the next `size` bytes; this one moves behind them. */
  within(size: number): Reader {
    const base = this.offset;
    return new Reader(this.bytes(size), base);
  }

  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes too many`);
  }
}
