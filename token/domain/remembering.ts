import type { Store } from "./store.ts";

/** A store, and what was made of its bytes: the same is asked for at every attestation, and changes next to never. */
export interface RememberingStore extends Store {
  /**
   * `make`, asked once for each key until something is written: whatever it is, all that was made is forgotten then. Undefined is not remembered,
   * so that asking for what is not there takes no room; what `make` throws is thrown each time.
   */
  remembered<T extends object>(make: (key: string) => T | undefined): (key: string) => T | undefined;
}

/** Everything that is written has to go through here, and not to `store` itself. */
export function remembering(store: Store): RememberingStore {
  const memories: Map<string, unknown>[] = [];
  const forget = (): void => {
    for (const memory of memories) memory.clear();
  };
  /** Also behind what fails: a power cut leaves the state before or the one after. */
  const forgetting = <T>(write: () => T): T => {
    try {
      return write();
    } finally {
      forget();
    }
  };
  return {
    get: (key) => store.get(key),
    keys: (prefix) => store.keys(prefix),
    commit: (changes) => forgetting(() => store.commit(changes)),
    wipe: (keep) => forgetting(() => store.wipe(keep)),
    remembered<T extends object>(make: (key: string) => T | undefined) {
      const memory = new Map<string, T>();
      memories.push(memory);
      return (key: string): T | undefined => {
        const known = memory.get(key);
        if (known !== undefined) return known;
        const made = make(key);
        if (made !== undefined) memory.set(key, made);
        return made;
      };
    },
  };
}
