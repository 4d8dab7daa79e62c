/** What the domain keeps; token/storage has the implementation on flash, tests have one in memory. */
export interface Store {
  get(key: string): Uint8Array | undefined;
  /** In no particular order. */
  keys(prefix: string): readonly string[];
  /** All changes or none; undefined deletes. `storage-full`: nothing was changed. */
  commit(changes: ReadonlyMap<string, Uint8Array | undefined>): "done" | "storage-full";
  /** Afterwards no byte of what was stored is left anywhere. */
  wipe(): void;
}
