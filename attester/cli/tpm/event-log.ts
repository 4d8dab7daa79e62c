import type { Command } from "commander";
import { CodecError, equal, toHex } from "../../../shared/bytes/index.ts";
import { decodeEventLog, type LogEvent, replayLog } from "../../../shared/event-log/index.ts";
import { hashNameOf, type PcrBank, pcrNumbers, pcrValue } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { type LogArguments, ownEventLogs, withLogOptions } from "../own-logs.ts";
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
      const files = await ownEventLogs(args).read();
      if (files.length === 0) throw new Stop(Exit.Usage, "no log: name one with --firmware-log or --drtm-log");
      const events = files.flatMap(eventsOf);
      await withTpm(args.tpm, async (client) => {
        const rows = rowsOf(await client.readPcrs(await client.activeBanks()), events);
        const wrong = rows.filter(({ agrees }) => !agrees).length;
        if (args.json) console.log(JSON.stringify({ events: events.length, rows }));
        else say(rows, events.length);
        if (wrong > 0) throw new Stop(Exit.Refused, `${wrong} PCRs do not hold what the logs say`);
      });
    },
  );
}

function eventsOf(file: Uint8Array): readonly LogEvent[] {
  try {
    return decodeEventLog(file).events;
  } catch (error) {
    if (error instanceof CodecError) throw new Stop(Exit.Usage, `no event log: ${error.message}`, { cause: error });
    throw error;
  }
}

/** PCRs that the logs tell of, in each bank. */
function rowsOf(banks: readonly PcrBank[], events: readonly LogEvent[]): readonly Row[] {
  return banks.flatMap((bank) => {
    const replayed = replayLog(events, bank.hash);
    return pcrNumbers(bank.pcrSelect).flatMap((pcr) => {
      const [log, tpm] = [replayed.get(pcr), pcrValue(bank, pcr)];
      if (log === undefined || tpm === undefined) return [];
      const name = hashNameOf(bank.hash) ?? `0x${bank.hash.toString(16)}`;
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
