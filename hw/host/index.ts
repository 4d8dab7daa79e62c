export * from "./command.ts";
export * from "./event-logs.ts";
export * from "./kexec.ts";
export * from "./linux.ts";
