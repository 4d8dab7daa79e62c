import type { Store } from "../../token/domain/store.ts";

/** A store that forgets with the test; `room` limits the sum of key and value bytes. */
export function memoryStore(room = Number.POSITIVE_INFINITY): Store {
  let entries = new Map<string, Uint8Array>();
  const size = (map: ReadonlyMap<string, Uint8Array>) =>
    [...map].reduce((sum, [key, value]) => sum + key.length + value.byteLength, 0);
  return {
    get: (key) => entries.get(key)?.slice(),
    keys: (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
    commit(changes) {
      const changed = new Map(entries);
      for (const [key, value] of changes) {
        if (value === undefined) changed.delete(key);
        else changed.set(key, value.slice());
      }
      if (size(changed) > room) return "storage-full";
      entries = changed;
      return "done";
    },
    wipe(keep) {
      entries = new Map([...entries].filter(([key]) => keep !== undefined && key.startsWith(keep)));
    },
  };
}
