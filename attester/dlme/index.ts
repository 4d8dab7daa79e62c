export * from "./boot.ts";
export * from "./boot-params.ts";
export * from "./bzimage.ts";
export * from "./loader.ts";
export * from "./measurement.ts";
export * from "./sample.ts";
