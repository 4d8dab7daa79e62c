export * from "./admission.ts";
export * from "./init.ts";
export * from "./issue.ts";
export * from "./material.ts";
export * from "./owner.ts";
export * from "./record.ts";
export * from "./request.ts";
export * from "./v0-server.ts";
