export { StorageError } from "./error.ts";
export { eraseStorage, openStore } from "./open.ts";
export { StorageLimit } from "./room.ts";
