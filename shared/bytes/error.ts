/**
 * Malformed input: the one error that decoders throw. `path` names the field from the outside in, for example
 * `TPMS_ATTEST.clockInfo.safe`; `offset` is the byte at which reading failed, counted in the buffer handed to the decoder.
 */
export class CodecError extends Error {
  override readonly name = "CodecError";
  readonly problem: string;
  readonly path: string;
  readonly offset: number;

  constructor(problem: string, path: string, offset: number, options?: ErrorOptions) {
    super(`${path === "" ? "input" : path}: ${problem} (at byte ${offset})`, options);
    this.problem = problem;
    this.path = path;
    this.offset = offset;
  }

  /** The same error seen from one level further out: `outer` goes in front of the path, `base` is added to the offset. */
  within(outer: string, base = 0): CodecError {
    const path =
      this.path === "" ? outer : this.path.startsWith("[") ? `${outer}${this.path}` : `${outer}.${this.path}`;
    return new CodecError(this.problem, path, this.offset + base, { cause: this.cause });
  }
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
