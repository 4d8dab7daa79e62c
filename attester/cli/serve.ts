import { realClock } from "../../hw/clock/real.ts";
import { readFileBytes, readProfileFile } from "../../hw/files/index.ts";
import { linuxHost } from "../../hw/host/index.ts";
import { createHttpFetcher } from "../../hw/http/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createJsonLog, createTextLog } from "../../hw/terminal/log.ts";
import { type OpenTpm, openTpm } from "../../hw/tpm/open.ts";
import { TpmSpecError } from "../../hw/tpm/spec.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import type { DatagramPort, Log } from "../../shared/ports/index.ts";
import { TpmError, TpmUnreachable } from "../../shared/tpm/index.ts";
import { type Certificate, readCertificates } from "../../shared/x509/index.ts";
import { measurementsOf, powerCycle, runMeasuredBoot, sampleLaunch } from "../dlme/index.ts";
import { createV0Server, IdentityError, serveV0, type V0Server } from "../flows/index.ts";
import {
  builtInProfiles,
  type DescribedFacts,
  type FirmwareEvent,
  hostPlatform,
  PlatformError,
  ProfileError,
  parseProfile,
} from "../platform/index.ts";
import { createTpmClient, ForeignKeyError, type TpmClient } from "../tpm/index.ts";
import { Exit, Stop, untilSignal } from "./exit.ts";

const MAX_CHAIN_BYTES = 256 * 1024;

export interface ServeArguments {
  readonly tpm?: string;
  readonly platform: string;
  readonly port: number;
  readonly bind: string;
  readonly profile: "compat" | "strict";
  readonly key: "rsa" | "ecc";
  readonly ekChain: readonly string[];
  readonly aia: boolean;
  readonly launch: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** What the platform says of itself, and what its firmware measures where that is known. */
type Platform = DescribedFacts & { readonly firmware?: readonly FirmwareEvent[] };

/** Errors with a sentence for people, and the exit code that belongs to each. What is none of these is a bug. */
function stopFor(error: unknown): unknown {
  if (error instanceof TpmUnreachable) return new Stop(Exit.Unreached, error.message, { cause: error });
  if (error instanceof TpmSpecError || error instanceof ProfileError) {
    return new Stop(Exit.Usage, error.message, { cause: error });
  }
  if (error instanceof PlatformError || error instanceof IdentityError || error instanceof ForeignKeyError) {
    return new Stop(Exit.Refused, error.message, { cause: error });
  }
  if (error instanceof TpmError) {
    return new Stop(Exit.Refused, `the TPM refuses ${error.message}`, { cause: error });
  }
  return error;
}

async function readPlatform(text: string): Promise<Platform> {
  if (text === "host") return hostPlatform(linuxHost()).read();
  return builtInProfiles.get(text) ?? parseProfile(readProfileFile(text), text);
}

function readIssuers(files: readonly string[]): readonly Certificate[] {
  return files.flatMap((file) => {
    try {
      return readCertificates(readFileBytes(file, MAX_CHAIN_BYTES));
    } catch (error) {
      if (error instanceof CodecError)
        throw new Stop(Exit.Usage, `${file} holds no certificate, PEM or DER: ${error.message}`, { cause: error });
      throw error;
    }
  });
}

async function openPort({ bind, port }: ServeArguments, log: Log): Promise<DatagramPort> {
  try {
    return await openUdpPort(bind, port, log);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Stop(error instanceof RangeError ? Exit.Usage : Exit.Unreached, why, { cause: error });
  }
}

async function withPort(args: ServeArguments, log: Log, use: (port: DatagramPort) => Promise<void>): Promise<void> {
  const port = await openPort(args, log);
  try {
    await use(port);
  } finally {
    await port.close();
  }
}

/** Off and on again, and a launch of the sample files: so that PCR 17 and 18 of a software TPM hold one. */
async function simulateLaunch(client: TpmClient, tpm: OpenTpm, { firmware = [] }: Platform, log: Log): Promise<void> {
  if (tpm.platform === undefined) {
    throw new Stop(
      Exit.Usage,
      `--launch needs a TPM whose chipset is simulated too, which the ${tpm.describe} is not: ` +
        "use emulator:DIR or swtpm:...,ctrl=...",
    );
  }
  await powerCycle(client, tpm.platform, "orderly");
  const outcome = await runMeasuredBoot(client, tpm.platform, measurementsOf({ firmware, launch: sampleLaunch() }));
  if (!outcome.ok) throw new Stop(Exit.Refused, outcome.detail);
  log.write("info", "Simulated a dynamic launch of the sample loader, kernel and initrd.");
}

/** Serves until Ctrl-C or SIGTERM. Rejects with Stop for everything that a user can put right. */
export async function serve(args: ServeArguments): Promise<void> {
  if (args.profile === "compat" && args.key === "ecc") {
    throw new Stop(Exit.Usage, "--key ecc needs --profile strict: the reference knows RSA only");
  }
  try {
    const level = args.verbose ? "debug" : "info";
    let serving = false;
    // Standard output is the walk-through's transcript and nothing else: what is prepared before goes beside it.
    const out = { write: (text: string) => (serving ? process.stdout : process.stderr).write(text) };
    const log = args.json ? createJsonLog(process.stdout, level) : createTextLog({ level, out });
    const platform = await readPlatform(args.platform);
    const issuers = readIssuers(args.ekChain);
    const signals = untilSignal();
    try {
      await withPort(args, log, (port) =>
        withTpmOf(args, log, async (client, tpm) => {
          if (args.launch) await simulateLaunch(client, tpm, platform, log);
          const { profile, key } = args;
          const fetcher = args.aia ? createHttpFetcher(log) : undefined;
          const server = await createV0Server({ tpm: client, platform, profile, key, log, issuers, fetcher });
          serving = true;
          await serveUntil(signals.signal, server, port, log);
        }),
      );
    } finally {
      signals.release();
    }
  } catch (error) {
    throw stopFor(error);
  }
}

async function serveUntil(signal: Promise<unknown>, server: V0Server, port: DatagramPort, log: Log): Promise<void> {
  const { address, port: number } = port.local;
  const endpoint = serveV0(server, { port, clock: realClock, random: systemRandom, log });
  log.write("debug", `Listening on ${address}:${number}`);
  try {
    await signal;
  } finally {
    endpoint.close();
  }
}

/** Opens and starts the TPM that --tpm names; a TPM of this program's own gets TPM2_Shutdown at the end. */
async function withTpmOf(
  args: ServeArguments,
  log: Log,
  use: (client: TpmClient, tpm: OpenTpm) => Promise<void>,
): Promise<void> {
  const tpm = await openTpm(args.tpm, { random: systemRandom, clock: realClock });
  try {
    log.write("debug", `Using the ${tpm.describe}`);
    const client = createTpmClient(tpm.transport, { random: systemRandom, clock: realClock, log });
    await client.startUp({ platform: tpm.platform, own: tpm.own });
    try {
      await use(client, tpm);
    } finally {
      if (tpm.own) await shutDownQuietly(client, log);
    }
  } finally {
    await tpm.close();
  }
}

/** Where another error may be under way, or the TPM went away: what goes wrong is said, not thrown. */
async function shutDownQuietly(client: TpmClient, log: Log): Promise<void> {
  try {
    await client.shutDown();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.write(
      "warn",
      `The TPM did not get TPM2_Shutdown, so its next quotes will say that its clock is not safe: ${why}`,
    );
  }
}
