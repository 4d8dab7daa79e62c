import { equal } from "../../shared/bytes/index.ts";
import {
  diffEvents,
  type EventDifference,
  type LogEvent,
  replayLog,
  type TcgLog,
} from "../../shared/event-log/index.ts";
import { hashNameOf, pcrNumbers, pcrValue, pcrZero } from "../../shared/tpm/index.ts";
import { type Prediction, predictedEvents } from "./prediction.ts";

/** Two tales of a boot, each a prediction or a log, against each other. */

export interface Tale {
  /** Which PCRs it tells everything of, as a mask: a launch's log knows nothing of the firmware. */
  readonly pcrs: number;
  /** Banks that we compute, TPM_ALG_ID. */
  readonly banks: readonly number[];
  readonly events: readonly LogEvent[];
  value(hash: number, pcr: number): Uint8Array;
}

const LAUNCH_PCRS = 0x7e_0000;
const FIRMWARE_PCRS = 0x01_ffff;

export function taleOfPrediction(prediction: Prediction): Tale {
  const { banks } = prediction;
  return {
    pcrs: LAUNCH_PCRS | FIRMWARE_PCRS,
    banks: banks.map(({ hash }) => hash),
    events: predictedEvents(prediction),
    value: (hash, pcr) => valueIn(banks, hash, pcr),
  };
}

function valueIn(banks: Prediction["banks"], hash: number, pcr: number): Uint8Array {
  const bank = banks.find((candidate) => candidate.hash === hash);
  return (bank === undefined ? undefined : pcrValue(bank, pcr)) ?? pcrZero(hash);
}

/** A launch's log tells PCR 17 to 22, a firmware's those below. */
export function taleOfLog({ format, algorithms, events }: TcgLog): Tale {
  const banks = algorithms.map(({ hash }) => hash).filter((hash) => hashNameOf(hash) !== undefined);
  const replayed = new Map(banks.map((hash) => [hash, replayLog(events, hash)]));
  return {
    pcrs: format === "drtm" ? LAUNCH_PCRS : FIRMWARE_PCRS,
    banks,
    events,
    value: (hash, pcr) => replayed.get(hash)?.get(pcr) ?? pcrZero(hash),
  };
}

export interface Comparison {
  /** What both tell of. */
  readonly pcrs: number;
  readonly banks: readonly number[];
  /** Of the longest bank in which anything differs; empty when all is the same. */
  readonly differences: readonly EventDifference[];
  readonly values: readonly PcrDifference[];
}

export interface PcrDifference {
  readonly hash: number;
  readonly pcr: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Undefined when they have no PCR or no bank in common. */
export function compareTales(before: Tale, after: Tale): Comparison | undefined {
  const pcrs = before.pcrs & after.pcrs;
  const banks = before.banks
    .filter((hash) => after.banks.includes(hash))
    .sort((a, b) => pcrZero(b).byteLength - pcrZero(a).byteLength);
  if (pcrs === 0 || banks.length === 0) return undefined;
  const within = (events: readonly LogEvent[]) => events.filter(({ pcr }) => ((pcrs >>> pcr) & 1) === 1);
  const found = banks.map((hash) => diffEvents(within(before.events), within(after.events), hash));
  const values = banks.flatMap((hash) => pcrNumbers(pcrs).flatMap((pcr) => valueDifference(before, after, hash, pcr)));
  return { pcrs, banks, differences: found.find(({ length }) => length > 0) ?? [], values };
}

function valueDifference(before: Tale, after: Tale, hash: number, pcr: number): readonly PcrDifference[] {
  const [was, is] = [before.value(hash, pcr), after.value(hash, pcr)];
  return equal(was, is) ? [] : [{ hash, pcr, before: was, after: is }];
}
