import { join } from "node:path";
import type { EventLogs } from "../../shared/ports/index.ts";
import { FileError, readFileBytes } from "../files/index.ts";

/** The event logs that Linux shows below /sys/kernel/security (securityfs, root only), and logs that lie in files. */

/** More than firmware writes: with its default settings it keeps 64 KiB for a log, with large ones some hundred. */
export const MAX_EVENT_LOG_BYTES = 1 << 20;

/** drivers/char/tpm/eventlog of the kernel; tpm0 is the TPM behind /dev/tpmrm0. */
const FIRMWARE_LOG = "kernel/security/tpm0/binary_bios_measurements";
/** drivers of the TrenchBoot kernel: Documentation/security/launch-integrity. */
const LAUNCH_LOG = "kernel/security/slaunch/eventlog";

export interface EventLogFiles {
  /** A TCG PC client log. */
  readonly firmware?: string | undefined;
  /** A DRTM log. */
  readonly drtm?: string | undefined;
}

/** A log, and the file that it was read from. */
export interface EventLogFile {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Logs that lie in files; what is not named is not there. Throws FileError. */
export function readFileLogs({ firmware, drtm }: EventLogFiles): readonly EventLogFile[] {
  return [...logIn(firmware), ...logIn(drtm)];
}

/** The same as a port, whose `read` rejects. */
export function fileEventLogs(files: EventLogFiles): EventLogs {
  return { read: async () => readFileLogs(files).map(({ bytes }) => bytes) };
}

function logIn(file: string | undefined): readonly EventLogFile[] {
  return file === undefined ? [] : [{ file, bytes: readFileBytes(file, MAX_EVENT_LOG_BYTES) }];
}

/**
 * This machine's logs; a file that is named takes the place of the machine's. A kernel that shows no log has none: no TPM driver, no
 * dynamic launch. `root` is where /sys is, for tests. Throws FileError.
 */
export function readLinuxLogs({ firmware, drtm }: EventLogFiles, root = "/sys"): readonly EventLogFile[] {
  return [
    ...(firmware === undefined ? machineLog(join(root, FIRMWARE_LOG)) : logIn(firmware)),
    ...(drtm === undefined ? machineLog(join(root, LAUNCH_LOG)) : logIn(drtm)),
  ];
}

/** The same as a port, whose `read` rejects. */
export function linuxEventLogs(files: EventLogFiles = {}, root = "/sys"): EventLogs {
  return { read: async () => readLinuxLogs(files, root).map(({ bytes }) => bytes) };
}

function machineLog(file: string): readonly EventLogFile[] {
  try {
    return logIn(file);
  } catch (error) {
    if (error instanceof FileError && isMissing(error.cause)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
