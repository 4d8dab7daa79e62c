/** Time inside a TPM: Part 2, 10.11. */
import { type Infer, struct, u32be, u64be } from "../bytes/index.ts";
import { TpmiYesNo } from "./buffers.ts";

/** TPMS_CLOCK_INFO, Part 2, 10.11.1. `clock` counts milliseconds; `safe` 0: the clock may have run back over a power loss. */
export const TpmsClockInfo = struct("TPMS_CLOCK_INFO", {
  clock: u64be,
  resetCount: u32be,
  restartCount: u32be,
  safe: TpmiYesNo,
});
export type TpmsClockInfo = Infer<typeof TpmsClockInfo>;

/** TPMS_TIME_INFO, Part 2, 10.11.6. `time` counts milliseconds since the power came. */
export const TpmsTimeInfo = struct("TPMS_TIME_INFO", { time: u64be, clockInfo: TpmsClockInfo });
export type TpmsTimeInfo = Infer<typeof TpmsTimeInfo>;
