export * from "./folder.ts";
export * from "./profiles.ts";
export * from "./text.ts";
