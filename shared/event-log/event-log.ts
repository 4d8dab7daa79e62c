/** A log of any format. */
import { decodeImaLog, type ImaLog, looksLikeIma } from "./ima.ts";
import { decodeTcgLog, type TcgLog } from "./tcg-log.ts";

export type EventLog = TcgLog | ImaLog;

/** The whole file, whose first record tells its format. CodecError. */
export function decodeEventLog(file: Uint8Array): EventLog {
  return looksLikeIma(file) ? decodeImaLog(file) : decodeTcgLog(file);
}
