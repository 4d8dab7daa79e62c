import { jsonLine } from "../../../hw/terminal/json.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import { bankName, type ImaStyle, replayLog } from "../../../shared/event-log/index.ts";
import { hashNameOf } from "../../../shared/tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { bankNamed, banksOf, eventsOf } from "./banks.ts";
import { readLogs } from "./read.ts";

export interface ReplayArguments {
  readonly bank?: string;
  readonly ima: ImaStyle;
  readonly json: boolean;
}

interface BankValues {
  readonly bank: string;
  /** Undefined when this program does not compute the bank's hash. */
  readonly values: ReadonlyMap<number, Uint8Array> | undefined;
}

/** `fobnail log replay`. */
export async function replay(paths: readonly string[], { bank, ima, json }: ReplayArguments): Promise<void> {
  const logs = await readLogs(paths);
  const all = banksOf(logs);
  const banks = bank === undefined ? all : [bankNamed(bank, all)];
  if (bank !== undefined && !banks.some(isComputed)) throw new Stop(Exit.Usage, `${bank} is not computed here`);
  const events = eventsOf(logs, banks, ima);
  const results = banks.map((hash): BankValues => {
    return { bank: bankName(hash), values: isComputed(hash) ? replayLog(events, hash) : undefined };
  });
  for (const line of results.flatMap(json ? jsonLines : textLines)) console.log(line);
}

const isComputed = (hash: number): boolean => hashNameOf(hash) !== undefined;

function textLines({ bank, values }: BankValues): readonly string[] {
  if (values === undefined) return [`${bank}: not computed here`];
  if (values.size === 0) return [`${bank}: nothing was extended`];
  return [`${bank}:`, ...[...values].map(([pcr, value]) => `  PCR ${String(pcr).padEnd(2)}  ${toHex(value)}`)];
}

function jsonLines({ bank, values }: BankValues): readonly string[] {
  return [...(values ?? [])].map(([pcr, value]) => jsonLine({ bank, pcr, value: toHex(value) }));
}
