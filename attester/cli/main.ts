#!/usr/bin/env node
import { Command, Option } from "commander";
import { version } from "../../hw/terminal/version.ts";
import { Exit, isMain, runProgram, Stop } from "./exit.ts";
import { type FileCommand, parseRead, parseRemove, parseWrite } from "./file-commands.ts";
import { gateCommand } from "./gate/command.ts";
import {
  address,
  COAP_PORT,
  portNumber,
  wholeSeconds,
  withKeyOptions,
  withTpmOptions,
  withV1Options,
} from "./options.ts";
import { type ServeArguments, serve } from "./serve.ts";
import { attest, attestAndRun, provision, type V1Arguments, watch } from "./v1.ts";

const DEFAULT_INTERVAL_S = 10;

const EXAMPLES = `
Examples:
  fobnail-attester --provision                                        the stick, this computer's TPM; as root
  fobnail-attester -w disk.key:luks                                   keep a key in the token
  fobnail-attester -r luks:- | cryptsetup open --key-file - /dev/sda2 disk
  fobnail-attester -r luks:old.key -w new.key:luks -d notes           in this order; stops at the first failure
  fobnail-attester watch --interval 30                                until Ctrl-C
  fobnail-attester gate --kexec vmlinuz --initrd initrd.img           start another kernel, on a green verdict only
  fobnail-attester attest --usb                                       the stick without the kernel's driver; --usb SERIAL of several

  fobnail tpm manufacture --tpm emulator:tpm --out vendor             a TPM to try things with, then
  fobnail-attester --token 127.0.0.1 --tpm emulator:tpm --platform apu2 --launch --provision

  fobnail-attester serve --api v0                                     for tokens of API v0

-r TOKEN:LOCAL is divided at its first colon, -w LOCAL:TOKEN at its last; "-" as LOCAL is standard output or input, also when the
name in the token holds colons. Local files are replaced as a whole and are for their owner only (mode 0600).
--usb takes the stick from the kernel's driver and gives it back at the end; watch --usb waits for a stick that comes and goes.
A word behind --usb is the stick's, so it stands last or before another option.
A platform file is JSON or YAML: mac, manufacturer, product_name, serial_number, and if wanted smbios (2 or 3), firmware.

Exit codes: 0 done, 1 refused or not trusted, 2 usage or unusable files, 3 TPM, token or network not to be had, 70 bug.`;

function serveCommand(): Command {
  const command = new Command("serve")
    .description("answer the questions of a token of API v0 until Ctrl-C")
    .addOption(new Option("--api <version>", "which API").choices(["v0"]).default("v0"));
  withTpmOptions(command)
    .option("--port <number>", "UDP port; 0 lets the system choose", portNumber, COAP_PORT)
    .option("--bind <address>", "IPv4 address to listen on", address, "127.0.0.1")
    .addOption(
      new Option("--profile <name>", "compat: the reference's AIK; strict: a restricted one")
        .choices(["compat", "strict"])
        .default("compat"),
    );
  return withKeyOptions(command)
    .addHelpText("after", SERVE_EXAMPLES)
    .action((args: ServeArguments) => serve(args));
}

const SERVE_EXAMPLES = `
Examples:
  fobnail-attester serve --api v0                                     this computer, its TPM (/dev/tpmrm0); as root
  fobnail tpm manufacture --tpm emulator:tpm --out vendor             a TPM to try things with, then
  fobnail-attester serve --tpm emulator:tpm --platform apu2           ... the walk-through's computer
  fobnail-attester serve --tpm swtpm:127.0.0.1:2401,ctrl=2402 --platform my-board.yaml
  fobnail-attester serve --tpm emulator:tpm --platform apu2 --profile strict --launch
  fobnail-attester serve --bind 169.254.0.8                           for the stick itself, on its USB network

Exit codes: 0 done, 1 refused, 2 usage or unusable files, 3 TPM or network not to be had, 70 bug.`;

/** A command of API v1 that touches no files. */
function v1Command(name: string, about: string, run: (args: V1Arguments) => Promise<void>): Command {
  return withV1Options(new Command(name).description(about))
    .addHelpText("after", EXAMPLES)
    .action((args: V1Arguments) => run(args));
}

function watchCommand(): Command {
  return withV1Options(new Command("watch").description("attest again and again until Ctrl-C; tells what changes"))
    .option("--interval <seconds>", "from one attestation to the next", wholeSeconds, DEFAULT_INTERVAL_S)
    .addHelpText("after", EXAMPLES)
    .action((args: V1Arguments & { readonly interval: number }) => watch(args));
}

/** Options before a subcommand would be lost: each command has its own. */
function refuseEarlyOptions(program: Command): void {
  const given = program.options.find((option) => program.getOptionValueSource(option.attributeName()) === "cli");
  if (given === undefined) return;
  throw new Stop(Exit.Usage, `${given.long ?? given.short} belongs behind the command's name`);
}

/** Options as -r, -w and -d are one list in the order of the command line. */
function withFileOptions(program: Command, commands: FileCommand[]): Command {
  const listing = (parse: (text: string) => FileCommand) => (text: string) => {
    commands.push(parse(text));
    return commands;
  };
  return program
    .option("-r, --read <token:local>", "read a file of the token into a local one (repeatable)", listing(parseRead))
    .option("-w, --write <local:token>", "write a local file to the token (repeatable)", listing(parseWrite))
    .option("-d, --delete <name>", "delete a file of the token (repeatable)", listing(parseRemove));
}

/** `fobnail-attester`, also `fobnail attester`. */
export function attesterCommand(name = "fobnail-attester"): Command {
  const commands: FileCommand[] = [];
  const program = new Command(name)
    .description("the computer's side: proves to a token what this computer booted, and reaches the files kept there")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .enablePositionalOptions()
    .allowExcessArguments();
  return withV1Options(withFileOptions(program, commands))
    .option("--provision", "provision this platform first if the token does not know it", false)
    .addHelpText("after", EXAMPLES)
    .addCommand(v1Command("provision", "enrol this platform in the token", provision))
    .addCommand(v1Command("attest", "attest once: 0 when the token trusts this platform", attest))
    .addCommand(watchCommand())
    .addCommand(gateCommand())
    .addCommand(serveCommand())
    .hook("preSubcommand", (root) => refuseEarlyOptions(root))
    .action((args: V1Arguments & { readonly provision: boolean }) => {
      const [unknown] = program.args;
      if (unknown !== undefined) program.error(`error: unknown command '${unknown}'`);
      return attestAndRun(args, commands);
    });
}

if (isMain(import.meta.url)) process.exitCode = await runProgram(attesterCommand(), process.argv.slice(2));
