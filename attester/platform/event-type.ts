import { EventType, eventTypeName } from "../../shared/event-log/index.ts";

const TYPES: ReadonlyMap<string, number> = new Map(Object.values(EventType).map((type) => [eventTypeName(type), type]));
const NUMBER = /^0x[0-9a-f]{8}$/i;

/** The number of `EV_SEPARATOR` and its like, or of `0x80000001`; undefined when it is none, or the one that no PCR takes. */
export function measuredEventType(name: string): number | undefined {
  const type = TYPES.get(name) ?? (NUMBER.test(name) ? Number(name) : undefined);
  return type === EventType.NO_ACTION ? undefined : type;
}
