import { CodecError } from "../../../shared/bytes/index.ts";
import { bankName, decodeEventLog, type EventLog, MAX_LOG_BYTES } from "../../../shared/event-log/index.ts";
import { Exit, Stop } from "../exit.ts";
import { readLocal, STANDARD } from "../local-files.ts";

/** How the kernel's text lists begin, which stand beside the binary ones. */
const TEXT_LIST = /^ ?\d{1,2} [0-9a-f]{40} /;

/** The log of a file, or of standard input. Stops with a sentence when it cannot be used. */
export async function readLog(path: string): Promise<EventLog> {
  const file = await readLocal(path, MAX_LOG_BYTES);
  const name = path === STANDARD ? "standard input" : path;
  if (file.byteLength === 0) throw new Stop(Exit.Usage, `${name} is empty`);
  if (TEXT_LIST.test(Buffer.from(file.subarray(0, 64)).toString("latin1"))) {
    throw new Stop(Exit.Usage, `${name} is the list as text; the binary one is wanted (binary_... in the same folder)`);
  }
  try {
    return decodeEventLog(file);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new Stop(Exit.Usage, `${name} is no event log that can be read: ${error.message}`, { cause: error });
  }
}

/** Several logs. Standard input is read once. */
export async function readLogs(paths: readonly string[]): Promise<readonly EventLog[]> {
  if (paths.filter((path) => path === STANDARD).length > 1) throw new Stop(Exit.Usage, '"-" stands for one file only');
  const logs: EventLog[] = [];
  for (const path of paths) logs.push(await readLog(path));
  return logs;
}

const FORMATS: Readonly<Record<EventLog["format"], string>> = {
  sha1: "SHA-1 log of the firmware",
  "crypto-agile": "crypto-agile log of the firmware",
  drtm: "log of a dynamic launch",
  ima: "measurement list of IMA",
};

/** `crypto-agile log of the firmware, banks sha1 and sha256, 24 events`. */
export function titleOf({ format, algorithms, events }: EventLog): string {
  const banks = algorithms.map(({ hash }) => bankName(hash));
  const count = events.length === 1 ? "1 event" : `${events.length} events`;
  return `${FORMATS[format]}, ${banks.length === 1 ? "bank" : "banks"} ${listed(banks)}, ${count}`;
}

/** `a, b and c`. */
export function listed(words: readonly string[]): string {
  const [last = "", ...before] = words.toReversed();
  return before.length === 0 ? last : `${before.toReversed().join(", ")} and ${last}`;
}
