export { eraseStorage, openStore, StorageError, StorageLimit } from "./store.ts";
