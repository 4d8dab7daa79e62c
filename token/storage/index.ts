export { eraseStorage, type FlashStore, openStore, StorageError, StorageLimit } from "./store.ts";
