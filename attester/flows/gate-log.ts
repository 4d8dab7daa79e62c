import { utf8 } from "../../shared/bytes/index.ts";
import { EventType, encodeTcgLog, type LogEvent, type TcgLog } from "../../shared/event-log/index.ts";
import type { Capped } from "./gate-cap.ts";
import { gateDigest } from "./gate-target.ts";

/**
 * The log with what the gate extended behind everything else, in the banks that it and the TPM have; encoded. RangeError when they have none in
 * common, or when the log's area has no room.
 */
export function logBehindGate(
  log: TcgLog,
  { way, events, banks }: Pick<Capped, "way" | "events" | "banks">,
): Uint8Array {
  const common = log.algorithms.map(({ hash }) => hash).filter((hash) => banks.includes(hash));
  if (common.length === 0) throw new RangeError("the log has none of the TPM's banks");
  const type = way.locality === 0 ? EventType.IPL : EventType.SLAUNCH;
  const added = events.map((event): LogEvent => {
    const digests = common.map((hash) => ({ hash, digest: gateDigest(event, hash) }));
    return { pcr: event.pcr, type, digests, data: utf8(event.event) };
  });
  return encodeTcgLog({ ...log, events: [...log.events, ...added] });
}
