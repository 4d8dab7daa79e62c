import { CodecError } from "./error.ts";

/** A strict cursor: every read is checked against the end; nothing is returned short. Slices are views, not copies. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;
  readonly #end: number;
  #at: number;

  /** `base` is where `bytes` lies in the outermost buffer, so that offsets in errors count from there. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16be(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32be(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64be(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  u16le(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32le(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
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
    return this.remaining > 0 ? this.#view.getUint8(this.#at) : undefined;
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
