export * from "./event-logs.ts";
export * from "./linux.ts";
