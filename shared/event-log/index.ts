export * from "./describe.ts";
export { diffEvents, type EventDifference } from "./diff.ts";
export * from "./event.ts";
export { replayLog, startupLocality } from "./replay.ts";
export { DrtmVendorInfo, type LogAlgorithm, type LogSpecification } from "./spec-id.ts";
export * from "./step.ts";
export * from "./summary.ts";
export * from "./tcg-log.ts";
