import { checkRegularFile, readRegularFile } from "../../../hw/files/index.ts";
import { createJsonLog } from "../../../hw/terminal/log.ts";
import { CodecError, toHex, utf8 } from "../../../shared/bytes/index.ts";
import { digest, type HashName } from "../../../shared/crypto/index.ts";
import { decodeTcgLog, MAX_LOG_BYTES, type TcgLog } from "../../../shared/event-log/index.ts";
import { hashAlgOf, replay } from "../../../shared/tpm/index.ts";
import { type GateEvent, type GateTarget, gateEvents, LAUNCH_WAY, PLAIN_WAY } from "../../flows/index.ts";
import { Exit, Stop } from "../exit.ts";
import { checkReplaced } from "../local-files.ts";
import type { LogArguments } from "../own-logs.ts";

/** What is to be started, as the command line names it. */
export interface TargetArguments {
  readonly onGreen?: string;
  readonly kexec?: string;
  readonly initrd?: string;
  readonly cmdline?: string;
}

const MAX_KERNEL_BYTES = 256 << 20;
const MAX_INITRD_BYTES = 1 << 30;
/** COMMAND_LINE_SIZE of Linux is 4096 at most, with its NUL. */
const MAX_COMMAND_LINE_BYTES = 4095;

/**
 * Reads each file once: these bytes are measured, and these bytes are started. Nothing else is read than regular files: at a pipe without a
 * writer a gate would stand for ever. Throws FileError, Stop.
 */
export function readTarget({ onGreen, kexec, initrd, cmdline = "" }: TargetArguments): GateTarget {
  if (utf8(cmdline).byteLength > MAX_COMMAND_LINE_BYTES) {
    throw new Stop(Exit.Usage, `--cmdline: at most ${MAX_COMMAND_LINE_BYTES} bytes belong here`);
  }
  if (kexec === undefined) return { command: onGreen };
  return {
    command: onGreen,
    kexec: {
      kernel: readRegularFile(kexec, MAX_KERNEL_BYTES),
      initrd: initrd === undefined ? undefined : readRegularFile(initrd, MAX_INITRD_BYTES),
      commandLine: cmdline,
    },
  };
}

/** What the session reads more than once. Throws FileError when it is no regular file. */
export function checkLogs({ firmwareLog, drtmLog }: LogArguments): void {
  for (const file of [firmwareLog, drtmLog]) if (file !== undefined) checkRegularFile(file);
}

/** The event log of --log; that it can be replaced is seen here, as behind the cap it is too late. Throws FileError, Stop. */
export function readLog(file: string): TcgLog {
  try {
    const bytes = readRegularFile(file, MAX_LOG_BYTES);
    const log = decodeTcgLog(bytes);
    checkReplaced(file, bytes);
    return log;
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new Stop(Exit.Usage, `${file} is no event log: ${error.message}`, { cause: error });
  }
}

const SHOWN_HASHES: readonly HashName[] = ["sha1", "sha256", "sha384"];

/** What the gate would extend, and what the target's PCR then holds if nobody extended it before. */
export function printTarget(target: GateTarget, { json }: { readonly json: boolean }): void {
  const ways = [LAUNCH_WAY, PLAIN_WAY].map((way) => ({ way, events: gateEvents(way, target) }));
  const log = createJsonLog();
  const print = (line: string, facts: Readonly<Record<string, unknown>>) => {
    if (json) log.write("info", line, facts);
    else process.stdout.write(`${line}\n`);
  };
  for (const { way, events } of ways) {
    const where = way.locality === 0 ? "Locality 0 only, as over /dev/tpmrm0" : "At locality 2";
    if (!json) print(`${where}:`, {});
    for (const { step, pcr, event, data } of events) {
      const digests = Object.fromEntries(SHOWN_HASHES.map((hash) => [hash, toHex(digest(hash, data))]));
      print(`  ${event}`, { locality: way.locality, step, pcr, event, ...digests });
      if (!json) for (const hash of SHOWN_HASHES) print(`    ${hash.padEnd(6)} ${digests[hash]}`, {});
    }
    printPcr(way.targetPcr, events, print);
  }
}

function printPcr(
  pcr: number,
  events: readonly GateEvent[],
  print: (line: string, facts: Readonly<Record<string, unknown>>) => void,
): void {
  for (const hash of SHOWN_HASHES) {
    const own = events.filter((event) => event.pcr === pcr).map(({ data }) => digest(hash, data));
    const value = toHex(replay(hashAlgOf(hash), own));
    print(`  PCR ${pcr} from zero, ${hash}: ${value}`, { pcr, hash, value });
  }
}
