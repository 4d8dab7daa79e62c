/**
 * Malformed input: the one error that decoders throw. `path` names the field from the outside in, for example
 * `TPMS_ATTEST.clockInfo.safe`; `offset` is the byte at which reading failed, counted in the buffer handed to the decoder.
 */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly problem: string;
  #path: string;
  #offset: number;

  constructor(problem: string, path: string, offset: number, options?: ErrorOptions) {
    super(sentence(problem, path, offset), options);
    this.problem = problem;
    this.#path = path;
    this.#offset = offset;
  }

  get path(): string {
    return this.#path;
  }

  get offset(): number {
    return this.#offset;
  }

  /** This error, seen from one level further out from now on: `outer` is in front of the path, `base` added to the offset. It knows where it was thrown first. */
  within(outer: string, base = 0): this {
    const path = this.#path;
    this.#path = path === "" ? outer : path.startsWith("[") ? `${outer}${path}` : `${outer}.${path}`;
    this.#offset += base;
    this.message = sentence(this.problem, this.#path, this.#offset);
    return this;
  }
}

function sentence(problem: string, path: string, offset: number): string {
  return `${path === "" ? "input" : path}: ${problem} (at byte ${offset})`;
}

/** Runs `read` and puts `field` in front of the path of a CodecError that it throws. */
export function inField<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw seenFrom(field, error);
  }
}

/** A CodecError with `field` in front of its path; any other error as it is. */
export function seenFrom(field: string, error: unknown): unknown {
  return error instanceof CodecError ? error.within(field) : error;
}
