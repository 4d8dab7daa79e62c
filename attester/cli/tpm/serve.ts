import { Command, InvalidArgumentError, Option } from "commander";
import { realClock } from "../../../hw/clock/real.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import {
  createTpmEmulator,
  openStateDirectory,
  StateDirectoryError,
  type TpmBoard,
} from "../../../hw/tpm/emulator/index.ts";
import { openTpmServer } from "../../../hw/tpm/server/server.ts";
import { describeAddress, type StreamAddress } from "../../../hw/tpm/stream-channel.ts";
import type { Log, TpmTransport } from "../../../shared/ports/index.ts";
import { commands, TpmError, TpmRc, TpmSu } from "../../../shared/tpm/index.ts";
import { createTpmClient } from "../../tpm/index.ts";
import { Exit, Stop, untilSignal } from "../exit.ts";
import { address, portNumber } from "../options.ts";
import { quietLog } from "./look.ts";

const DEFAULT_PORT = 2321;
const MAX_PORT = 65_535;
/** As swtpm is started for tpm2-tools. */
const DEFAULT_FLAGS = "not-need-init,startup-clear";

/** What the server does by itself before the first client: swtpm's --flags. */
interface Flags {
  readonly power: boolean;
  readonly startup: number | undefined;
}

interface ServeArguments {
  readonly state: string;
  readonly port: number;
  readonly bind: string;
  readonly unix?: string;
  readonly flags: Flags;
  readonly verbose: boolean;
}

const EXAMPLES = `
Examples:
  fobnail tpm serve --state tpm                       ports 2321 (commands) and 2322 (control)
  TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=2321 tpm2_getcap properties-fixed
  fobnail tpm serve --state tpm --unix tpm.sock       tpm.sock and tpm.sock.ctrl: swtpm:path=tpm.sock
  fobnail tpm serve --state tpm --flags none          without power until a client's INIT, then until TPM2_Startup
  fobnail attester --tpm swtpm:127.0.0.1:2321,ctrl=2322 --platform apu2 --launch ...

The protocol is swtpm's. There is no authentication: whoever reaches the sockets has the TPM and its chipset.

Exit codes: 0 done, 2 usage, 3 state directory or address not to be had, 70 bug.`;

function parseFlags(text: string): Flags {
  const words = text === "none" ? [] : text.split(",");
  const known = ["not-need-init", "startup-clear", "startup-state"];
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) throw new InvalidArgumentError(`None of: none, ${known.join(", ")} (comma between).`);
  if (words.includes("startup-clear") && words.includes("startup-state")) {
    throw new InvalidArgumentError("Either startup-clear or startup-state.");
  }
  const startup = words.includes("startup-clear")
    ? TpmSu.CLEAR
    : words.includes("startup-state")
      ? TpmSu.STATE
      : undefined;
  return { power: words.length > 0, startup };
}

/** `fobnail tpm serve`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("the emulated TPM behind swtpm's sockets, for tpm2-tools and others, until Ctrl-C")
    .requiredOption("--state <dir>", "the TPM's state, made when it is not there")
    .option("--port <number>", "for commands; the control channel has the next one", portNumber, DEFAULT_PORT)
    .option("--bind <address>", "IPv4 address to listen on", address, "127.0.0.1")
    .addOption(
      new Option("--unix <path>", "UNIX sockets instead: PATH, and PATH.ctrl for the control channel").conflicts([
        "port",
        "bind",
      ]),
    )
    .addOption(
      new Option(
        "--flags <flags>",
        "what is done before the first client: none, not-need-init, startup-clear, startup-state",
      )
        .argParser(parseFlags)
        .default(parseFlags(DEFAULT_FLAGS), DEFAULT_FLAGS),
    )
    .option("--verbose", "say more", false)
    .addHelpText("after", EXAMPLES)
    .action(serve);
}

function addressesOf({ port, bind, unix }: ServeArguments): {
  readonly data: StreamAddress;
  readonly control: StreamAddress;
} {
  if (unix !== undefined) return { data: { path: unix }, control: { path: `${unix}.ctrl` } };
  if (port === MAX_PORT) throw new Stop(Exit.Usage, `the control channel has no port behind ${MAX_PORT}`);
  return { data: { host: bind, port }, control: { host: bind, port: port === 0 ? 0 : port + 1 } };
}

async function serve(args: ServeArguments): Promise<void> {
  const log = createTextLog({ level: args.verbose ? "debug" : "info", out: process.stdout });
  const at = addressesOf(args);
  const signals = untilSignal();
  const tpm = openEmulator(args.state, log);
  try {
    if (args.unix === undefined && !args.bind.startsWith("127."))
      log.write("warn", `Whoever reaches ${args.bind} has this TPM: nothing in the protocol asks who it is.`);
    const server = await openTpmServer({ board: tpm.board, ...at, log }).catch((error: unknown) => {
      throw new Stop(Exit.Unreached, error instanceof Error ? error.message : String(error), { cause: error });
    });
    try {
      await begin(tpm.board, tpm.transport, args.flags);
      const where = `${describeAddress(server.data)}, control ${describeAddress(server.control)}`;
      log.write("info", `TPM emulator in ${args.state} at ${where}`, { type: "tpm-server", ...server });
      await Promise.race([signals.signal, server.shutdown]);
    } finally {
      await server.close();
      await end(tpm.board, tpm.transport, args.flags);
    }
  } finally {
    signals.release();
    await tpm.transport.close();
  }
}

function openEmulator(directory: string, log: Log) {
  try {
    return createTpmEmulator({ random: systemRandom, clock: realClock, log, state: openStateDirectory(directory) });
  } catch (error) {
    if (error instanceof StateDirectoryError) throw new Stop(Exit.Unreached, error.message, { cause: error });
    throw error;
  }
}

async function begin(board: TpmBoard, transport: TpmTransport, { power, startup }: Flags): Promise<void> {
  if (power) powerOn(board);
  if (startup === undefined) return;
  try {
    await clientOf(transport).turn((tpm) => tpm.run(commands.Startup, { parameters: { startupType: startup } }));
  } catch (error) {
    // one whose volatile state was stored goes on where it was
    if (!(error instanceof TpmError && error.rc === TpmRc.INITIALIZE)) throw error;
  }
}

function powerOn(board: TpmBoard): void {
  try {
    board.powerCycle();
  } catch (error) {
    if (error instanceof StateDirectoryError) throw new Stop(Exit.Unreached, error.message, { cause: error });
    throw error;
  }
}

/** A server that started its TPM itself also shuts it down; otherwise that is the computer's business, as with a chip. */
async function end(board: TpmBoard, transport: TpmTransport, { startup }: Flags): Promise<void> {
  if (startup !== undefined && board.powered) await clientOf(transport).shutDown();
}

function clientOf(transport: TpmTransport) {
  return createTpmClient(transport, { random: systemRandom, clock: realClock, log: quietLog });
}
