export * from "./codec.ts";
export * from "./server.ts";
export * from "./session.ts";
export * from "./transfers.ts";
