import { jsonLine } from "../../../hw/terminal/json.ts";
import { toHex } from "../../../shared/bytes/index.ts";
import {
  bankName,
  diffEvents,
  digestIn,
  type EventDifference,
  type EventLog,
} from "../../../shared/event-log/index.ts";
import { Exit, Stop } from "../exit.ts";
import { bankNamed } from "./banks.ts";
import { listed, readLogs } from "./read.ts";

export interface DiffArguments {
  readonly bank?: string;
  readonly json: boolean;
}

/** `fobnail log diff`: exit code 0 when the PCRs would be the same, 1 when not. */
export async function diff(paths: readonly [string, string], { bank, json }: DiffArguments): Promise<void> {
  const [before, after] = await readLogs(paths);
  if (before === undefined || after === undefined) throw new TypeError("two logs are compared");
  const hash = commonBank(before, after, bank);
  const differences = diffEvents(before.events, after.events, hash);
  if (differences.length > 0) process.exitCode = Exit.Refused;
  if (json) {
    for (const difference of differences) console.log(jsonLine(factsOf(difference, bankName(hash))));
    return;
  }
  const count = differences.length === 1 ? "1 difference" : `${differences.length} differences`;
  const verdict = differences.length === 0 ? "no difference: these logs give the same PCR values" : count;
  console.log([...differences.flatMap(textLines), `${verdict} in bank ${bankName(hash)}`].join("\n"));
}

/** Banks that a log announces and extends. One without events has all that it announces. */
function usedBanks({ algorithms, events }: EventLog): EventLog["algorithms"] {
  const used = algorithms.filter(({ hash }) => events.some((event) => digestIn(event, hash) !== undefined));
  return used.length === 0 ? algorithms : used;
}

/** The bank with the longest digests that both logs have, if none is named. */
function commonBank(before: EventLog, after: EventLog, name: string | undefined): number {
  const others = usedBanks(after).map(({ hash }) => hash);
  const common = usedBanks(before).filter(({ hash }) => others.includes(hash));
  if (common.length === 0) {
    const banks = [before, after].map((log) => listed(usedBanks(log).map(({ hash }) => bankName(hash))));
    throw new Stop(Exit.Usage, `the logs have no bank in common: ${banks.join(" in one, ")} in the other`);
  }
  const hashes = common.toSorted((a, b) => b.digestBytes - a.digestBytes).map(({ hash }) => hash);
  return name === undefined ? (hashes[0] ?? 0) : bankNamed(name, hashes);
}

function textLines({ kind, pcr, index, now, step, description, expected, got }: EventDifference): readonly string[] {
  const place = kind === "added" ? `new event ${index}` : `event ${index}`;
  const moved = kind === "moved" ? `, now event ${now}` : "";
  const digests = kind === "moved" ? [] : [line("expected", expected), line("got", got)].flat();
  return [`${kind.padEnd(8)} PCR ${String(pcr).padEnd(2)} ${place}${moved} (${step}): ${description}`, ...digests];
}

function line(what: string, digest: Uint8Array | undefined): readonly string[] {
  return digest === undefined ? [] : [`         ${what.padEnd(9)}${toHex(digest)}`];
}

function factsOf({ expected, got, ...difference }: EventDifference, bank: string) {
  const hex = (digest: Uint8Array | undefined) => (digest === undefined ? undefined : toHex(digest));
  return { ...difference, bank, expected: hex(expected), got: hex(got) };
}
