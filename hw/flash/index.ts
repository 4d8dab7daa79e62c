export * from "./file.ts";
export * from "./ram.ts";
export { STICK_GEOMETRY } from "./rules.ts";
