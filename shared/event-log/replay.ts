/** From a log to what the PCRs must hold. */
import { equal, utf8 } from "../bytes/index.ts";
import { pcrZero, replay } from "../tpm/index.ts";
import { digestIn, EventType, isMeasured, type LogEvent } from "./event.ts";

const STARTUP_LOCALITY = utf8("StartupLocality\0");
const MAX_LOCALITY = 4;

/**
 * The locality of TPM2_Startup that the log tells, which is the last byte of PCR 0 at the start (TPM 2.0 Part 1, 34.3): PC Client
 * Platform Firmware Profile, 10.4.5.3. 0 when the log says nothing, or nothing that can be.
 */
export function startupLocality(events: readonly LogEvent[]): number {
  const event = events.find(
    ({ type, pcr, data }) => type === EventType.NO_ACTION && pcr === 0 && isStartupLocality(data),
  );
  const locality = event?.data.at(-1) ?? 0;
  return locality <= MAX_LOCALITY ? locality : 0;
}

export function isStartupLocality(data: Uint8Array): boolean {
  const size = STARTUP_LOCALITY.byteLength;
  return data.byteLength === size + 1 && equal(data.subarray(0, size), STARTUP_LOCALITY);
}

/**
 * What the PCRs hold in the bank `hash` if everything that was extended is in the log: every PCR that has an event with a digest
 * there, and PCR 0 if the log tells a startup locality. All start from zero, 17 to 22 too, which is what a dynamic launch leaves:
 * a PCR that was extended from all ones does not agree. RangeError when the hash is not one that we compute.
 */
export function replayLog(events: readonly LogEvent[], hash: number): ReadonlyMap<number, Uint8Array> {
  const locality = startupLocality(events);
  const extended = new Map<number, Uint8Array[]>(locality === 0 ? [] : [[0, []]]);
  for (const event of events) {
    const digest = isMeasured(event) ? digestIn(event, hash) : undefined;
    if (digest === undefined) continue;
    const digests = extended.get(event.pcr);
    if (digests === undefined) extended.set(event.pcr, [digest]);
    else digests.push(digest);
  }
  const start = startOfPcr0(hash, locality);
  const inOrder = [...extended].sort(([a], [b]) => a - b);
  return new Map(inOrder.map(([pcr, digests]) => [pcr, replay(hash, digests, pcr === 0 ? start : undefined)]));
}

function startOfPcr0(hash: number, locality: number): Uint8Array {
  const start = pcrZero(hash);
  start[start.byteLength - 1] = locality;
  return start;
}
