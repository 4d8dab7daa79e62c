export * from "./byte-queue.ts";
export * from "./bytes.ts";
export * from "./codec.ts";
export * from "./crc32.ts";
export * from "./error.ts";
export * from "./reader.ts";
export * from "./unseen.ts";
export * from "./writer.ts";
