export * from "./event-type.ts";
export * from "./network.ts";
export * from "./platform.ts";
export * from "./profile.ts";
export * from "./smbios.ts";
