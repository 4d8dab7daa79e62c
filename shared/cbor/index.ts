export { decodeItem, encodeItem } from "./item.ts";
export * from "./schema.ts";
export type { CborValue } from "./value.ts";
