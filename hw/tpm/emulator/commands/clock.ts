import { commands, type TpmsClockInfo } from "../../../../shared/tpm/index.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";

/** Part 3, 29: the clock. */

export function clockInfo({ nv, ram: { time } }: Machine): TpmsClockInfo {
  return { clock: time.clock, resetCount: nv.resetCount, restartCount: nv.restartCount, safe: time.safe ? 1 : 0 };
}

const readClock = handler(commands.ReadClock, {}, ({ tpm }) => ({
  response: { currentTime: { time: tpm.ram.time.time, clockInfo: clockInfo(tpm) } },
}));

export const clockCommands = [readClock] as const;
