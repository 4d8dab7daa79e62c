import type { Command } from "commander";
import type { EventLogFile } from "../../../hw/host/index.ts";
import { CodecError, equal, toHex } from "../../../shared/bytes/index.ts";
import { bankName, decodeEventLog, type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { hashNameOf, type PcrBank, pcrNumbers, pcrValue } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { listed } from "../log/read.ts";
import { type LogArguments, readOwnLogs, withLogOptions } from "../own-logs.ts";
import { lookCommand, withTpm } from "./look.ts";

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
        const wrong = rows.filter(({ agrees }) => !agrees).length;
        if (args.json) console.log(JSON.stringify({ events: events.length, rows }));
        else say(rows, events.length);
        if (rows.length === 0) throw new Stop(Exit.Refused, nothingCompared(banks, events));
        if (wrong > 0) throw new Stop(Exit.Refused, `${wrong} PCRs do not hold what the logs say`);
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

function say(rows: readonly Row[], count: number): void {
  console.log(`${count} events.`);
  for (const { bank, pcr, agrees, tpm, log } of rows) {
    console.log(
      `${bank.padEnd(6)} PCR ${String(pcr).padStart(2)}  ${agrees ? "as logged" : `DIFFERS: TPM ${tpm}, log ${log}`}`,
    );
  }
}
