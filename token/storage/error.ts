/** The flash holds what a token never leaves there. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly reason: "not-a-token" | "damaged";

  constructor(reason: StorageError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
