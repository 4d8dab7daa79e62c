#!/usr/bin/env node
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { version } from "../../../hw/terminal/version.ts";
import { runProgram } from "../../cli/exit.ts";
import { usbOption } from "../../cli/usb-link.ts";
import { ownerKeyKinds } from "../init.ts";
import { DEFAULT_DAYS } from "../issue.ts";
import { revocationReasons } from "../record.ts";
import { deviceId, deviceIds, ownerName, tokenOption, wholeNumber } from "./arguments.ts";
import { init } from "./init.ts";
import { platformName } from "./platform-name.ts";
import * as platforms from "./platforms.ts";
import { type ProvisionArguments, provision } from "./provision.ts";
import { list, revoke, show } from "./record.ts";
import { type ServeArguments, serve } from "./serve.ts";

const COAP_PORT = 5683;
const MAX_DAYS = 36_500;

const EXAMPLES = `
Examples:
  fobnail-platform-owner init my-owner
  fobnail-platform-owner my-owner/chain.pem my-owner/key.pem                 provisions the stick that is plugged in
  fobnail-platform-owner my-owner/chain.pem my-owner/key.pem --token 127.0.0.1 --expect 1A2B3C4D5E6F7081
  fobnail-platform-owner my-owner/chain.pem my-owner/key.pem --usb           the stick without the kernel's driver; --usb SERIAL of several
  fobnail-platform-owner list my-owner
  fobnail-platform-owner revoke my-owner 1A2B3C4D5E6F7081 --reason keyCompromise
  fobnail-platform-owner platforms --chain my-owner/chain.pem --key my-owner/key.pem
  fobnail-platform-owner serve my-owner --api v0 --bind 169.254.0.8          for tokens of API v0

Exit codes: 0 done, 1 refused, 2 usage or unusable files, 3 token or network not to be had, 70 bug.`;

const PROVISION_HELP = `
CHAIN.pem holds the root first and the issuing CA last, KEY.pem the issuing CA's key (PKCS#8). The token trusts exactly that root.
On a terminal the device id is shown and a person is asked, unless --yes or --expect decides. The same command again gives a
token that was interrupted the same certificate.`;

const REVOKE_HELP = `
Only this record knows of it: tokens, and computers that ask them, do not look at revocations, and no CRL is written. A revoked
certificate is not handed out again: its token gets a new one. To take a token out of use, wipe it.`;

const PLATFORMS_HELP = `
The options of "platforms" (--token, --usb, --chain, --key, --expect, --record, --json) stand here, or before the command.
What is signed names the token that is meant, so that no other takes it: that of --expect, or the only one that has a certificate in
the record which is not revoked. Where neither tells, it is good for any token of this owner, and a warning says so.`;

const RECORD_HELP = "the record of issued certificates, or its folder (default: beside CHAIN.pem)";

const daysOption = () =>
  new Option("--days <number>", "how long certificates are good for")
    .argParser(wholeNumber(1, MAX_DAYS))
    .default(DEFAULT_DAYS);

const expectOption = () =>
  new Option("--expect <id>", "device id of a token that may have a certificate (repeatable)")
    .argParser(deviceIds)
    .default([]);

const jsonOption = () => new Option("--json", "one JSON object a line").default(false);

function keyMissing(chain: string, { usb }: ProvisionArguments): string {
  const swallowed = usb?.kind === "local" ? usb.serial : undefined;
  const hint = swallowed === undefined ? "" : `; --usb took ${swallowed} for a serial number: put --usb last`;
  return `unknown command '${chain}', or KEY.pem is missing behind it${hint}`;
}

/** The reference's usage, and therefore what is done when no command is named. */
function addProvision(program: Command): void {
  const command = program
    .command("provision", { isDefault: true })
    .argument("[chain]", "CHAIN.pem: root first, issuing CA last")
    .argument("[key]", "KEY.pem: key of the issuing CA, PKCS#8")
    .description("provision one token of API v1; the default command")
    .addOption(tokenOption())
    .addOption(usbOption())
    .addOption(expectOption())
    .addOption(daysOption())
    .option("--record <path>", RECORD_HELP)
    .option("--yes", "do not ask", false)
    .addOption(jsonOption())
    .addHelpText("after", PROVISION_HELP);
  command.action((chain: string | undefined, key: string | undefined, args: ProvisionArguments) => {
    if (chain === undefined) return program.help({ error: true });
    if (key === undefined) return command.error(`error: ${keyMissing(chain, args)}`);
    return provision(chain, key, args);
  });
}

function addRecord(program: Command): void {
  program
    .command("list")
    .argument("<dir>", "the owner's folder, or its record")
    .description("the certificates that were issued")
    .addOption(jsonOption())
    .action(list);
  program
    .command("show")
    .argument("<dir>", "the owner's folder, or its record")
    .argument("<id>", "device id, or serial number of a certificate (its first digits will do)")
    .description("everything about certificates, and their PEM")
    .addOption(jsonOption())
    .action(show);
  program
    .command("revoke")
    .argument("<dir>", "the owner's folder, or its record")
    .argument("<id>", "device id (all its certificates), or serial number of one (its first digits will do)")
    .description("mark certificates as revoked in the record")
    .addOption(new Option("--reason <reason>", "why").choices(revocationReasons).default("unspecified"))
    .addHelpText("after", REVOKE_HELP)
    .action(revoke);
}

type Platforms = platforms.PlatformsArguments & { readonly yes: boolean };

function addPlatforms(program: Command): void {
  const command = program
    .command("platforms")
    .description("the platforms that a token knows")
    .addOption(tokenOption())
    .addOption(usbOption())
    .requiredOption("--chain <file>", "the chain that the token was provisioned with, root first, issuing CA last")
    .requiredOption("--key <file>", "key of the issuing CA, PKCS#8")
    .addOption(new Option("--expect <id>", "device id of the token that is meant").argParser(deviceId))
    .option("--record <path>", RECORD_HELP)
    .addOption(jsonOption());
  // Options stand before or behind the command's name.
  const all = (own: Command): Platforms => own.optsWithGlobals();
  command
    .command("list", { isDefault: true })
    .description("show them; the default command")
    .addHelpText("after", PLATFORMS_HELP)
    .action((_own: unknown, own: Command) => platforms.list(all(own)));
  command
    .command("rename")
    .argument("<id>", "first digits of its id, or its name")
    .argument("<name>", "the new name; an empty one takes the name away", platformName)
    .description("give a platform a name")
    .addHelpText("after", PLATFORMS_HELP)
    .action((id: string, name: string, _own: unknown, own: Command) => platforms.rename(id, name, all(own)));
  command
    .command("remove")
    .argument("<id>", "first digits of its id, or its name")
    .description("take a platform away, with its files")
    .option("--yes", "do not ask", false)
    .addHelpText("after", PLATFORMS_HELP)
    .action((id: string, _own: unknown, own: Command) => platforms.remove(id, all(own)));
}

/** `fobnail-platform-owner`, also `fobnail owner`. */
export function ownerCommand(name = "fobnail-platform-owner"): Command {
  const program = new Command(name)
    .usage(`CHAIN.pem KEY.pem [options]\n       ${name} COMMAND ...`)
    .description("the Platform Owner: makes its keys and chain, provisions tokens")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("afterAll", EXAMPLES);
  addProvision(program);
  program
    .command("init")
    .argument("<dir>", "where the files go; made when missing, nothing in it is overwritten")
    .description("make root, intermediate and issuing CA")
    .option("--name <text>", "the organization in the certificates", ownerName, "Platform Owner")
    .addOption(new Option("--key <kind>", "kind of keys").choices(ownerKeyKinds).default("rsa"))
    .action(init);
  program
    .command("serve")
    .argument("<dir>", "what init made; the record of issued certificates is kept there")
    .description("provision tokens of API v0 until Ctrl-C")
    .addOption(new Option("--api <version>", "which API").choices(["v0"]).default("v0"))
    .option("--bind <address>", "IPv4 address to listen on", "127.0.0.1")
    .option("--port <number>", "UDP port; 0 lets the system choose", wholeNumber(0, 65_535), COAP_PORT)
    .addOption(expectOption())
    .addOption(daysOption())
    .option("--chain <file>", "chain, root first, issuing CA last (default: <dir>/chain.pem)")
    .option("--key <file>", "key of the issuing CA, PKCS#8 (default: <dir>/key.pem)")
    .action((folder: string, args: ServeArguments) => serve(folder, args));
  addRecord(program);
  addPlatforms(program);
  return program;
}

/** The exit code. */
export function ownerMain(args: readonly string[]): Promise<number> {
  return runProgram(ownerCommand(), args);
}

// npm starts bins through symbolic links.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await ownerMain(process.argv.slice(2));
}
