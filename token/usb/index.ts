export * from "./descriptors.ts";
export * from "./eem-function.ts";
