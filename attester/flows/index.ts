export * from "./ek-chain.ts";
export * from "./identity.ts";
export * from "./metadata.ts";
export * from "./rim.ts";
export * from "./signed.ts";
export * from "./token-wire.ts";
export * from "./v0-server.ts";
