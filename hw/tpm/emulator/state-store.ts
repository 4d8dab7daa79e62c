/**
 * Where the emulator keeps what survives power: one blob. `save` either takes effect whole or not at all, and has taken effect when
 * it returns. One emulator at a time holds a store; `close` lets it go.
 */
export interface TpmStateStore {
  /** undefined: nothing was ever saved. */
  load(): Uint8Array | undefined;
  save(state: Uint8Array): void;
  /** The file it is kept in, for people. */
  readonly file?: string;
  close(): void;
}

/** A store that ends with the process. */
export function createMemoryStateStore(initial?: Uint8Array): TpmStateStore {
  let state = initial?.slice();
  return {
    load: () => state?.slice(),
    save(next) {
      state = next.slice();
    },
    close: () => undefined,
  };
}
