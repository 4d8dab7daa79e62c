import { join } from "node:path";
import { realCalendar, realClock } from "../../../hw/clock/real.ts";
import { openUdpPort } from "../../../hw/net/udp.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import type { DatagramPort, Log } from "../../../shared/ports/index.ts";
import { printName } from "../../../shared/x509/index.ts";
import { Exit, Stop, untilSignal } from "../../cli/exit.ts";
import { createAdmission } from "../admission.ts";
import { createOwner } from "../owner.ts";
import { serveOwnerV0 } from "../v0-server.ts";
import { openRecord, RECORD_FILE, readOwner } from "./files.ts";
import { terminalQuestion } from "./question.ts";

export interface ServeArguments {
  readonly bind: string;
  readonly port: number;
  readonly expect: readonly string[];
  readonly days: number;
  readonly chain?: string;
  readonly key?: string;
}

async function openPort({ bind, port }: ServeArguments, log: Log): Promise<DatagramPort> {
  try {
    return await openUdpPort(bind, port, log);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Stop(error instanceof RangeError ? Exit.Usage : Exit.Unreached, why, { cause: error });
  }
}

/** Serves until Ctrl-C or SIGTERM. */
export async function serve(folder: string, args: ServeArguments): Promise<void> {
  const log = createTextLog();
  const owned = readOwner(args.chain ?? join(folder, "chain.pem"), args.key ?? join(folder, "key.pem"), log);
  const { record } = openRecord(join(folder, RECORD_FILE));
  const question = process.stdin.isTTY ? terminalQuestion() : undefined;
  const admission = createAdmission({ expected: args.expect, ask: question?.ask });
  const calendar = realCalendar;
  const owner = createOwner({
    material: owned,
    random: systemRandom,
    calendar,
    record,
    admission,
    log,
    days: args.days,
  });
  const port = await openPort(args, log);
  const endpoint = serveOwnerV0(owner, { port, clock: realClock, random: systemRandom, log });
  const signals = untilSignal();
  log.write(
    "info",
    `Owner ${printName(owned.root.subject)} serves API v0 on ${port.local.address}:${port.local.port}.`,
  );
  if (args.expect.length > 0) log.write("info", `Expected tokens: ${args.expect.join(", ")}.`);
  else if (question === undefined) {
    log.write(
      "warn",
      "No token is expected and there is no terminal to ask on: every request is refused. Use --expect ID.",
    );
  }
  await signals.signal;
  signals.release();
  question?.close();
  endpoint.close();
  await port.close();
}
