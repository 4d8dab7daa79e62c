import { jsonLine } from "../../../hw/terminal/json.ts";
import { createJsonLog, createTextLog } from "../../../hw/terminal/log.ts";
import type { OpenTpm } from "../../../hw/tpm/open.ts";
import { parseTpmSpec } from "../../../hw/tpm/spec.ts";
import { bankName, encodeTcgLog, type TcgLog } from "../../../shared/event-log/index.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { bootMeasured, type MeasuredBoot, measurementsOf, type Prediction, predict } from "../../dlme/index.ts";
import type { TpmClient } from "../../tpm/index.ts";
import { Exit, Stop } from "../exit.ts";
import { checkTarget, STANDARD, writeLocal } from "../local-files.ts";
import { withTpm } from "../own-tpm.ts";
import { untilClockIsSafe } from "../safe-clock.ts";
import { stopFor } from "../stops.ts";
import { type InputArguments, readInputs } from "./inputs.ts";
import { stepLines, valueLines, valuesJson } from "./report.ts";

/** `fobnail dlme boot`. */

export interface BootArguments extends InputArguments {
  readonly tpm: string;
  /** Of the launch. */
  readonly log?: string;
  readonly firmwareLog?: string;
  readonly json: boolean;
}

/** Rejects with Stop for everything that a user can put right. */
export async function boot(args: BootArguments): Promise<void> {
  try {
    checkLogFiles(args);
    refuseUnlaunchable(args.tpm);
    const { boot: inputs, words } = readInputs(args);
    const measurements = measurementsOf(inputs);
    const log = args.json ? createJsonLog(process.stderr, "warn") : createTextLog();
    for (const line of words) log.write("info", line);
    await withTpm(args.tpm, log, async (client, tpm) => {
      await safeClock(client, log);
      log.write("info", `Power on, TPM2_Startup(CLEAR): ${tpm.describe}`);
      const booted = await bootMeasured(client, tpm.platform, measurements, "orderly");
      if (!booted.ok) throw new Stop(Exit.Refused, booted.detail);
      const files = await writeLogs(args, booted.logs);
      const hashes = booted.banks.map(({ hash }) => hash);
      tell(args, tpm, booted, predict(measurements, hashes), files);
    });
  } catch (error) {
    throw stopFor(error);
  }
}

function checkLogFiles({ log, firmwareLog, launch }: BootArguments): void {
  if (log !== undefined && !launch) throw new Stop(Exit.Usage, "--no-launch leaves no launch that --log could tell of");
  if (log !== undefined && log === firmwareLog) {
    throw new Stop(Exit.Usage, "--log and --firmware-log are two logs, of launch and firmware: two files");
  }
  for (const file of [log, firmwareLog]) {
    if (file === STANDARD) throw new Stop(Exit.Usage, "a log goes into a file, not to standard output");
    if (file !== undefined) checkTarget(file);
  }
}

/** What only a chipset can do is refused before anything is asked of the TPM. */
function refuseUnlaunchable(text: string): void {
  const spec = parseTpmSpec(text);
  if (spec.kind === "device") {
    const why =
      "the kernel speaks to it at locality 0 only, at which no TPM takes a HASH sequence or extends PCR 17 and 18 (0x907), " +
      "and this program cannot switch its machine off and on";
    throw new Stop(Exit.Usage, `${spec.path} cannot be launched: ${why}. Use emulator:DIR, or swtpm:...,ctrl=...`);
  }
  if (spec.kind === "swtpm" && spec.control === undefined) {
    const why = "power, locality and HASH sequence go over swtpm's control channel";
    throw new Stop(Exit.Usage, `${text} cannot be launched: ${why}; name it with ,ctrl=PORT or ,ctrl=PATH`);
  }
}

/** A power cycle before the clock is safe would leave it unsafe. */
async function safeClock(client: TpmClient, log: Log): Promise<void> {
  const wait = () => log.write("info", "Waiting some seconds for the TPM's clock: it lost power without TPM2_Shutdown");
  if (await untilClockIsSafe(client, wait)) return;
  log.write("warn", "The TPM's clock does not become safe: verdicts on its quotes will be red");
}

/** The names of the files that were written, by what they are. */
async function writeLogs(
  { log, firmwareLog }: BootArguments,
  logs: readonly TcgLog[],
): Promise<Record<string, string>> {
  const written: Record<string, string> = {};
  for (const one of logs) {
    const [what, file] = one.format === "drtm" ? ["launch", log] : ["firmware", firmwareLog];
    if (file === undefined || what === undefined) continue;
    await writeLocal(file, encodeTcgLog(one));
    written[what] = file;
  }
  return written;
}

function tell(
  { json }: BootArguments,
  { describe }: OpenTpm,
  { banks }: MeasuredBoot,
  prediction: Prediction,
  logs: Readonly<Record<string, string>>,
): void {
  if (json) {
    console.log(jsonLine({ tpm: describe, agree: true, logs, pcrs: valuesJson(banks) }));
    return;
  }
  for (const line of [...stepLines(prediction), ...valueLines(prediction.steps, banks)]) console.log(line);
  for (const [what, file] of Object.entries(logs)) console.log(`The ${what}'s log is in ${file}`);
  console.log(`TPM, log and replay agree in ${banks.map(({ hash }) => bankName(hash)).join(", ")}.`);
}
