/** What the domain keeps; token/storage has the implementation on flash, tests have one in memory. */
export interface Store {
  get(key: string): Uint8Array | undefined;
  /** In no particular order. */
  keys(prefix: string): readonly string[];
  /** All changes or none; undefined deletes. `storage-full`: nothing was changed. A few deletions alone, up to 50, always fit. */
  commit(changes: ReadonlyMap<string, Uint8Array | undefined>): "done" | "storage-full";
  /** Keeps what is under keys that begin with `keep`, if given; of everything else no byte is left anywhere afterwards. */
  wipe(keep?: string): void;
}
