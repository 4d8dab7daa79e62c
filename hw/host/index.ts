export * from "./linux.ts";
