export { decodeItem, encodeItem } from "./item.ts";
export * from "./schema.ts";
export { type CborLimits, type CborValue, DEFAULT_LIMITS } from "./value.ts";
