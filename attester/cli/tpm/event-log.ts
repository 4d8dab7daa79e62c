import type { Command } from "commander";
import type { EventLogFile } from "../../../hw/host/index.ts";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { CodecError, equal, toHex } from "../../../shared/bytes/index.ts";
import { bankName, decodeEventLog, type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { hashNameOf, type PcrBank, pcrNumbers, pcrValue } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { listed } from "../log/read.ts";
import { type LogArguments, readOwnLogs, withLogOptions } from "../own-logs.ts";
import { lookCommand, withTpm } from "./look.ts";
import { type Unlogged, unloggedPcrs } from "./unlogged.ts";

interface EventLogArguments extends LogArguments {
  readonly json: boolean;
}

interface Row {
  readonly bank: string;
  readonly pcr: number;
  readonly agrees: boolean;
  readonly tpm: string;
  readonly log: string;
}

/** `fobnail tpm eventlog`: whether the logs account for what the TPM holds. */
export function eventLogCommand(): Command {
  return withLogOptions(lookCommand("eventlog", "whether the event logs replay to what the PCRs hold")).action(
    async (args: EventLogArguments) => {
      const files = readOwnLogs(args);
      if (files.length === 0) throw new Stop(Exit.Usage, "no log: name one with --firmware-log or --drtm-log");
      const events = files.flatMap(eventsOf);
      await withTpm(args.tpm, async (client) => {
        const banks = await client.readPcrs(await client.activeBanks());
        const rows = rowsOf(banks, events);
        const unlogged = unloggedPcrs(banks, events);
        if (args.json) console.log(jsonOf(rows, unlogged, events.length));
        else say(rows, unlogged, events.length);
        if (rows.length === 0) throw new Stop(Exit.Refused, nothingCompared(banks, events));
        const problem = problemOf(rows, unlogged);
        if (problem !== undefined) throw new Stop(Exit.Refused, problem);
      });
    },
  );
}

function eventsOf({ file, bytes }: EventLogFile): readonly LogEvent[] {
  try {
    return decodeEventLog(bytes).events;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new Stop(Exit.Usage, `${file} is no event log: ${error.message}`, { cause: error });
  }
}

/** A sentence that names the banks on both sides. */
function nothingCompared(banks: readonly PcrBank[], events: readonly LogEvent[]): string {
  const inLogs = [...new Set(events.flatMap(({ digests }) => digests.map(({ hash }) => hash)))];
  const inTpm = banks.map(({ hash }) => hash);
  const named = (hashes: readonly number[]) =>
    hashes.length === 0 ? "no bank" : `bank ${listed(hashes.map(bankName))}`;
  const shared = inLogs.some((hash) => inTpm.includes(hash)) ? ", but of no PCR that can be compared" : "";
  return `nothing was compared: the TPM has ${named(inTpm)}, the logs tell of ${named(inLogs)}${shared}`;
}

/** PCRs that the logs tell of, in each bank whose hash is known here. */
function rowsOf(banks: readonly PcrBank[], events: readonly LogEvent[]): readonly Row[] {
  return banks.flatMap((bank) => {
    const name = hashNameOf(bank.hash);
    if (name === undefined) return [];
    const replayed = replayLog(events, bank.hash);
    return pcrNumbers(bank.pcrSelect).flatMap((pcr) => {
      const [log, tpm] = [replayed.get(pcr), pcrValue(bank, pcr)];
      if (log === undefined || tpm === undefined) return [];
      return [{ bank: name, pcr, agrees: equal(log, tpm), tpm: toHex(tpm), log: toHex(log) }];
    });
  });
}

/** Undefined when the logs account for what they should. */
function problemOf(rows: readonly Row[], unlogged: readonly Unlogged[]): string | undefined {
  const wrong = rows.filter(({ agrees }) => !agrees).length;
  const missing = unlogged.filter(({ belongs }) => belongs).length;
  const problems = [
    ...(wrong > 0 ? [`${wrong} PCRs do not hold what the logs say`] : []),
    ...(missing > 0 ? [`${missing} PCRs were extended without a word in the logs`] : []),
  ];
  return problems.length === 0 ? undefined : problems.join(", and ");
}

function jsonOf(rows: readonly Row[], unlogged: readonly Unlogged[], events: number): string {
  return jsonLine({ events, rows, unlogged: unlogged.map((one) => ({ ...one, tpm: toHex(one.tpm) })) });
}

function say(rows: readonly Row[], unlogged: readonly Unlogged[], count: number): void {
  console.log(`${count} events.`);
  const line = (bank: string, pcr: number, text: string) =>
    console.log(`${bank.padEnd(6)} PCR ${String(pcr).padStart(2)}  ${text}`);
  for (const { bank, pcr, agrees, tpm, log } of rows) {
    line(bank, pcr, agrees ? "as logged" : `DIFFERS: TPM ${tpm}, log ${log}`);
  }
  for (const { bank, pcr, tpm, belongs } of unlogged) {
    line(bank, pcr, belongs ? `NOT IN THE LOGS: TPM ${toHex(tpm)}` : "not in the logs, nor of their kind");
  }
}
