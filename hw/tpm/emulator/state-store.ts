/** The directory is in use or not usable, or what is in it is no state; the message is a sentence for people. */
export class StateDirectoryError extends Error {
  override readonly name = "StateDirectoryError";
}

/**
 * Where the emulator keeps what survives power: one blob. `save` either takes effect whole or not at all, and has taken effect when
 * it returns. StateDirectoryError where it cannot. One emulator at a time holds a store; `close` lets it go.
 */
export interface TpmStateStore {
  /** undefined: nothing was ever saved. */
  load(): Uint8Array | undefined;
  save(state: Uint8Array): void;
  /** What power takes away and was stored all the same; undefined: nothing is. */
  loadVolatile(): Uint8Array | undefined;
  /** As `save`. Without a state, what was stored is removed. */
  saveVolatile(state: Uint8Array | undefined): void;
  /** The files it is kept in, for people. */
  readonly file?: string;
  readonly volatileFile?: string;
  close(): void;
}

/** A store that ends with the process. */
export function createMemoryStateStore(initial?: Uint8Array): TpmStateStore {
  let state = initial?.slice();
  let kept: Uint8Array | undefined;
  return {
    load: () => state?.slice(),
    save(next) {
      state = next.slice();
    },
    loadVolatile: () => kept?.slice(),
    saveVolatile(next) {
      kept = next?.slice();
    },
    close: () => undefined,
  };
}
