export * from "./descriptors.ts";
export * from "./device.ts";
export * from "./requests.ts";
export * from "./setup.ts";
