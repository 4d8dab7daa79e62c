export * from "./authorization.ts";
export * from "./limits.ts";
export * from "./messages.ts";
export * from "./policy.ts";
export * from "./rim.ts";
export * from "./signature.ts";
export * from "./v1.ts";
