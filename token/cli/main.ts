#!/usr/bin/env node
import { Command, Option } from "commander";
import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { version } from "../../hw/terminal/version.ts";
import { parseHostPort } from "./address.ts";
import { type RunArguments, runToken } from "./run.ts";
import { defaultStateFolder } from "./state.ts";
import { wipeState } from "./wipe.ts";

const DEFAULT_ATTESTER = "127.0.0.1:5683";

const EXAMPLES = `
The lamps are drawn as [G ●] and [R ●] when lit. Keys: b holds or releases the button, u unplugs or plugs in,
w wipes (asks first), q quits. Without a terminal the same keys are lines on standard input.

Examples:
  fobnail-token --owner-root owner/root.pem --ek-root vendor/root.pem     roots are kept: give them once
  fobnail-token --net udp --attester 127.0.0.1:5683                       an ordinary UDP socket, no emulated link
  fobnail-token --owner 127.0.0.1:5685                                    the owner's server, when it runs elsewhere
  fobnail-token --once --json                                             one attempt; exit code 0 green, 1 red
  fobnail-token wipe --state ~/.local/state/fobnail/token                 back to a new token

Exit codes: 0 done or green, 1 red or refused, 2 usage, 3 nobody answered, 70 bug.`;

const append = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** `fobnail-token`, also `fobnail token`. */
export function tokenCommand(name = "fobnail-token"): Command {
  const program = new Command(name)
    .description("an emulated Fobnail Token with its lamps in the terminal")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("afterAll", EXAMPLES)
    .option("--state <dir>", "where the token keeps its flash", defaultStateFolder())
    .addOption(new Option("--api <version>", "which API").choices(["v0"]).default("v0"))
    .addOption(
      new Option("--attester <host:port>", "the attester's server")
        .argParser(parseHostPort)
        .default(parseHostPort(DEFAULT_ATTESTER), DEFAULT_ATTESTER),
    )
    .option("--owner <host:port>", "the owner's server (default: the attester's address)", parseHostPort)
    .addOption(
      new Option("--net <link>", "usb: the emulated stick's own link; udp: a plain socket")
        .choices(["usb", "udp"])
        .default("usb"),
    )
    .addOption(
      new Option("--profile <name>", "which attestation keys and launches are accepted")
        .choices(["compat", "strict"])
        .default("compat"),
    )
    .option("--owner-root <file>", "the owner's root certificate; kept in the state")
    .option("--ek-root <file|dir>", "root certificates of TPM vendors; kept in the state (repeatable)", append, [])
    .option("--enrol-new", "provision an unknown platform although others are known", false)
    .option("--once", "end after the first verdict or refusal", false)
    .option("--unplugged", "start unplugged", false)
    .option("--json", "one JSON object a line", false)
    .action((args: RunArguments) => runToken(args));
  program
    .command("wipe")
    .description("forget the token's key, its owner and all platforms; the token must not be running")
    .option("--state <dir>", "where the token keeps its flash", defaultStateFolder())
    .option("--yes", "do not ask", false)
    .action((_args: unknown, command: Command) => wipeState(command.optsWithGlobals()));
  return program;
}

if (isMain(import.meta.url)) process.exitCode = await runProgram(tokenCommand(), process.argv.slice(2));
