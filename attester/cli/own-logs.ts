import type { Command } from "commander";
import { type EventLogFile, fileEventLogs, linuxEventLogs, readFileLogs, readLinuxLogs } from "../../hw/host/index.ts";
import { parseTpmSpec } from "../../hw/tpm/spec.ts";
import type { EventLogs } from "../../shared/ports/index.ts";
import { Exit, Stop } from "./exit.ts";

/** Where an attester has the logs from that tell what its TPM was extended with. */
export interface LogArguments {
  readonly tpm?: string;
  readonly firmwareLog?: string;
  readonly drtmLog?: string;
}

export function withLogOptions(command: Command): Command {
  return command
    .option("--firmware-log <file>", "the firmware's event log (default: the kernel's, for a TPM of this machine)")
    .option("--drtm-log <file>", "the dynamic launch's event log (default: the kernel's, likewise)");
}

/**
 * The logs that belong to the TPM of --tpm: this machine's to its own TPM; a software TPM knows nothing of them and has what files are named.
 * `launched` are those of --launch, beside which files make no sense. Throws Stop, TpmSpecError.
 */
export function ownEventLogs({ tpm, firmwareLog, drtmLog }: LogArguments, launched?: EventLogs): EventLogs {
  const files = { firmware: firmwareLog, drtm: drtmLog };
  if (launched !== undefined) {
    if (firmwareLog === undefined && drtmLog === undefined) return launched;
    throw new Stop(Exit.Usage, "--launch makes its own logs: --firmware-log and --drtm-log do not go with it");
  }
  return isOfMachine(tpm) ? linuxEventLogs(files) : fileEventLogs(files);
}

/** The same logs with the files that they are in. Throws FileError, TpmSpecError. */
export function readOwnLogs({ tpm, firmwareLog, drtmLog }: LogArguments): readonly EventLogFile[] {
  const files = { firmware: firmwareLog, drtm: drtmLog };
  return isOfMachine(tpm) ? readLinuxLogs(files) : readFileLogs(files);
}

const isOfMachine = (tpm: string | undefined) => tpm === undefined || parseTpmSpec(tpm).kind === "device";

/** What the options name and nothing else. Reading rejects with FileError. */
export function namedEventLogs({ firmwareLog, drtmLog }: LogArguments): EventLogs {
  return fileEventLogs({ firmware: firmwareLog, drtm: drtmLog });
}
