export * from "./profiles.ts";
export * from "./text.ts";
