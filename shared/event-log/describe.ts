/** One sentence on an event, for people. */
import { toHex } from "../bytes/index.ts";
import { EventType, eventTypeName, type LogEvent } from "./event.ts";
import { isStartupLocality } from "./replay.ts";
import { isText, plainText, textOf } from "./text.ts";

/** What the log says about an event, bounded and without control characters. */
export function describeEvent(event: LogEvent): string {
  const { type, data } = event;
  if (type === EventType.NO_ACTION && isStartupLocality(data)) return `TPM started at locality ${data.at(-1)}`;
  if (isText(data)) return textOf(data);
  const name = eventTypeName(type);
  return plainText(data.byteLength === 0 ? name : `${name}, ${data.byteLength} bytes: ${toHex(data.subarray(0, 16))}`);
}
