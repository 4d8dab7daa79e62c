import { encode, utf8 } from "../../shared/bytes/index.ts";
import { digestSize } from "../../shared/crypto/index.ts";
import {
  DrtmVendorInfo,
  EventType,
  encodeTcgLog,
  type LogAlgorithm,
  type LogDigest,
  type LogEvent,
  type TcgLog,
} from "../../shared/event-log/index.ts";
import type { EventLogs } from "../../shared/ports/index.ts";
import { hashNameOf } from "../../shared/tpm/index.ts";
import { measuredEventType } from "../platform/index.ts";
import { lastLaunch, type Measurement, measurementDigest } from "./measurement.ts";

/** The logs that firmware, loader and kernel stub write of their measurements, as a pure function of these. */

/** Where the boot loader puts the launch's log, and how much room it gives it; memory of the simulated machine. */
const DRTM_LOG_AT = 0x90000n;
const DRTM_LOG_BYTES = 32 << 10;

/**
 * The firmware's log, and behind a dynamic launch its own, with the digests of `banks`. RangeError when one of them is no hash of ours,
 * or an event of the firmware has no type that measuredEventType knows.
 */
export function bootLogs(measurements: readonly Measurement[], banks: readonly number[]): readonly TcgLog[] {
  const algorithms = banks.map((hash): LogAlgorithm => ({ hash, digestBytes: bankBytes(hash) }));
  const srtm = measurements.filter(({ locality }) => locality === 0);
  const firmware: TcgLog = {
    format: "crypto-agile",
    algorithms,
    vendorInfo: new Uint8Array(0),
    events: srtm.map((measurement) => firmwareEvent(measurement, banks)),
  };
  const launched = lastLaunch(measurements).filter(({ locality }) => locality !== 0);
  return launched.length === 0 ? [firmware] : [firmware, launchLog(launched, algorithms)];
}

function bankBytes(hash: number): number {
  const name = hashNameOf(hash);
  if (name === undefined) throw new RangeError(`TPM_ALG_ID 0x${hash.toString(16)} is no hash known here`);
  return digestSize(name);
}

function firmwareEvent(measurement: Measurement, banks: readonly number[]): LogEvent {
  const { pcr, event, data } = measurement;
  const type = measuredEventType(event);
  if (type === undefined) throw new RangeError(`${event} is no type of a measured event`);
  return { pcr, type, digests: digestsOf(measurement, banks), data };
}

function digestsOf(measurement: Measurement, banks: readonly number[]): readonly LogDigest[] {
  return banks.map((hash) => ({ hash, digest: measurementDigest(measurement, hash) }));
}

function launchLog(launched: readonly Measurement[], algorithms: readonly LogAlgorithm[]): TcgLog {
  const banks = algorithms.map(({ hash }) => hash);
  const vendorInfo = (firstRecordOffset: number) =>
    encode(DrtmVendorInfo, {
      address: DRTM_LOG_AT,
      allocated: DRTM_LOG_BYTES,
      firstRecordOffset,
      nextRecordOffset: firstRecordOffset,
    });
  const log: TcgLog = {
    format: "drtm",
    algorithms,
    vendorInfo: vendorInfo(0),
    events: launched.flatMap((measurement) => launchEvents(measurement, banks)),
  };
  const headerBytes = encodeTcgLog({ ...log, events: [] }).byteLength;
  return { ...log, vendorInfo: vendorInfo(headerBytes) };
}

/** The loader writes one record with the digests of all banks; the kernel's stub one for each bank. */
function launchEvents(measurement: Measurement, banks: readonly number[]): readonly LogEvent[] {
  const { pcr, event } = measurement;
  const record = (hashes: readonly number[]): LogEvent => {
    return { pcr, type: EventType.SLAUNCH, digests: digestsOf(measurement, hashes), data: utf8(event) };
  };
  return measurement.by === "loader" ? [record(banks)] : banks.map((hash) => record([hash]));
}

/** Logs of a launch in this process, as the files that they would be. */
export function memoryEventLogs(logs: () => readonly TcgLog[]): EventLogs {
  return { read: async () => logs().map(encodeTcgLog) };
}
