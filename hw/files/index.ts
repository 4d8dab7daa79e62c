export * from "./folder.ts";
export * from "./text.ts";
