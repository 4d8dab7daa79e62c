import { bankName, type EventLog, type ImaStyle, type LogEvent, withImaBank } from "../../../shared/event-log/index.ts";
import { hashNameOf, TpmAlg } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { listed } from "./read.ts";

/** IMA's list holds SHA-1; what other banks took is computed from it, and PCR 10 of this bank is what most verifiers look at. */
const WITH_IMA = [TpmAlg.SHA1, TpmAlg.SHA256];

/** The banks that the logs tell about, in the order in which they name them. */
export function banksOf(logs: readonly EventLog[]): readonly number[] {
  const named = logs.filter(({ format }) => format !== "ima").flatMap(({ algorithms }) => algorithms);
  const banks = [...new Set(named.map(({ hash }) => hash))];
  return banks.length === 0 ? WITH_IMA : banks;
}

/** The events of all logs, one log after the other, with what IMA extended into these banks. */
export function eventsOf(logs: readonly EventLog[], banks: readonly number[], style: ImaStyle): readonly LogEvent[] {
  return logs.flatMap(({ format, events }) => {
    if (format !== "ima") return events;
    return banks
      .filter((hash) => hashNameOf(hash) !== undefined)
      .reduce((with_, hash) => withImaBank(with_, hash, style), events);
  });
}

/** The bank of this name among `banks`. Stops when it is not there. */
export function bankNamed(name: string, banks: readonly number[]): number {
  const found = banks.find((hash) => bankName(hash) === name.toLowerCase());
  if (found !== undefined) return found;
  throw new Stop(Exit.Usage, `there is no bank ${name} here, but ${listed(banks.map(bankName))}`);
}
