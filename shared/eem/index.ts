export * from "./crc32.ts";
export * from "./link.ts";
export * from "./packet.ts";
export * from "./receiver.ts";
export * from "./sender.ts";
