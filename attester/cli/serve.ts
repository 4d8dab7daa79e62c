import { realClock } from "../../hw/clock/real.ts";
import { createHttpFetcher } from "../../hw/http/index.ts";
import { openUdpPort } from "../../hw/net/udp.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { createJsonLog, createTextLog } from "../../hw/terminal/log.ts";
import type { DatagramPort, Log } from "../../shared/ports/index.ts";
import { createV0Server, serveV0, type V0Server } from "../flows/index.ts";
import { Exit, Stop, untilSignal } from "./exit.ts";
import type { ComputerArguments } from "./options.ts";
import { readIssuers, readPlatform } from "./own-platform.ts";
import { simulateLaunch, withTpm } from "./own-tpm.ts";
import { stopFor } from "./stops.ts";

export interface ServeArguments extends ComputerArguments {
  readonly port: number;
  readonly bind: string;
  readonly profile: "compat" | "strict";
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
        withTpm(args.tpm, log, async (client, tpm) => {
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
