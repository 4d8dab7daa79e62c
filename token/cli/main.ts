#!/usr/bin/env node
import { Command, Option } from "commander";
import { isMain, runProgram } from "../../attester/cli/exit.ts";
import { platformName } from "../../attester/owner/cli/platform-name.ts";
import { version } from "../../hw/terminal/version.ts";
import {
  jsonOption,
  profileOf,
  type RunArguments,
  refuseForeignOptions,
  runOptions,
  stateOption,
  stoppedArguments,
} from "./arguments.ts";
import { addAttach } from "./attach.ts";
import { settleLink } from "./bus-options.ts";

/** What the commands do. Loaded only when it is asked for: a token that starts needs little of it. */
const load = {
  flash: () => import("./flash.ts"),
  image: () => import("./flash-image.ts"),
  platforms: () => import("./platforms.ts"),
  profile: () => import("./profile-table.ts"),
  run: () => import("./run.ts"),
  wipe: () => import("./wipe.ts"),
} as const;

const EXAMPLES = `
The lamps are drawn as [G ●] and [R ●] when lit. Keys: b holds or releases the button, u unplugs or plugs in,
w wipes (asks first), q quits; with --count a digit chooses the stick that they are for. Without a terminal the same keys are lines
on standard input.

Examples:
  fobnail token --owner-root owner/root.pem --ek-root vendor/vendor-root.pem  roots are kept: give them once
  fobnail token --net udp --port 0                                         an ordinary UDP socket, no emulated link
  fobnail token --once --json                                              exit code 0 green; 1 red, or no verdict yet
  fobnail token --usbip                                                    a USB device: see "fobnail token attach"
  fobnail token --usbip 3241 --count 2 --state two                         two sticks, 1-1 and 1-2
  fobnail token --usbredir /tmp/stick --pcap stick.pcapng                  a USB device of a virtual machine
  fobnail token --tap                                                      a network interface, fobnail0; as root
  fobnail token --profile compat                                           for programs made for the reference
  fobnail token --print-profile                                            what that changes
  fobnail token --enrol first                                              provisions no computer but the first
  fobnail token --api v0 --attester 127.0.0.1:5683 --owner 127.0.0.1:5685  the former API: the token asks
  fobnail token platforms                                                  what a stopped token knows
  fobnail token flash ls                                                   what is in its flash
  fobnail token wipe                                                       back to a new token

Exit codes: 0 done or green, 1 red, refused or (--once) no verdict, 2 usage, 3 nobody answered or no network, 70 bug.`;

const PLATFORMS_EXAMPLES = `
The token must not be running; its owner can do the same over the wire with "fobnail owner platforms".
--state and --json stand before or behind the command's name.

Examples:
  fobnail token platforms
  fobnail token platforms rename 1a2b3c "laboratory"
  fobnail token platforms remove laboratory --yes

Exit codes: 0 done, 1 refused, 2 usage, 70 bug.`;

const FLASH_EXAMPLES = `
The token must not be running. --state and --json stand before or behind the command's name.

Examples:
  fobnail token flash                                   what the token is and how full
  fobnail token flash ls
  fobnail token flash cat 1a2b3c/luks.key > luks.key    a file of the platform whose id begins so
  fobnail token flash install-cert vendors/             roots of TPM vendors, from a file or a folder
  fobnail token flash install-cert root.pem --owner     the owner's root
  fobnail token flash export backup.img                 mode 0600: it holds the token's private key
  fobnail token flash import backup.img --state other

Exit codes: 0 done, 1 refused, 2 usage or unusable files, 70 bug.`;

const WIPE_EXAMPLES = `
Trusted roots stay.

Examples:
  fobnail token wipe                         asks first
  fobnail token wipe --state other --yes

Exit codes: 0 done, 1 refused, 2 usage, 70 bug.`;

const yesOption = (): Option => new Option("--yes", "do not ask").default(false);

interface Yes {
  readonly yes: boolean;
}

function addWipe(program: Command): void {
  program
    .command("wipe")
    .description("forget the token's key, its owner, all platforms and files; the token must not be running")
    .addOption(stateOption())
    .addOption(yesOption())
    .addHelpText("after", WIPE_EXAMPLES)
    .action(async ({ yes }: Yes, command: Command) =>
      (await load.wipe()).wipeState({ state: stoppedArguments(command).state, yes }),
    );
}

function addPlatforms(program: Command): void {
  const platforms = program
    .command("platforms")
    .description("the platforms that a stopped token knows")
    .enablePositionalOptions(false) // --state and --json stand anywhere
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText("afterAll", PLATFORMS_EXAMPLES);
  platforms
    .command("list", { isDefault: true })
    .description("show them; the default command")
    .action(async (_args: unknown, command: Command) =>
      (await load.platforms()).listPlatforms(stoppedArguments(command)),
    );
  platforms
    .command("rename")
    .argument("<id>", "first digits of its id, or its name")
    .argument("<name>", "what to call it; an empty name takes the name away", platformName)
    .description("give a platform a name")
    .action(async (id: string, name: string, _args: unknown, command: Command) =>
      (await load.platforms()).renamePlatform(id, name, stoppedArguments(command)),
    );
  platforms
    .command("remove")
    .argument("<id>", "first digits of its id, or its name")
    .description("forget a platform, with its files")
    .addOption(yesOption())
    .action(async (id: string, { yes }: Yes, command: Command) =>
      (await load.platforms()).removePlatform(id, yes, stoppedArguments(command)),
    );
}

function addFlash(program: Command): void {
  const flash = program
    .command("flash")
    .description("the storage of a stopped token")
    .enablePositionalOptions(false)
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText("afterAll", FLASH_EXAMPLES);
  flash
    .command("info", { isDefault: true })
    .description("geometry, use, identity, owner, roots; the default command")
    .action(async (_args: unknown, command: Command) => (await load.flash()).showFlash(stoppedArguments(command)));
  flash
    .command("ls")
    .description("everything that is stored, with sizes")
    .action(async (_args: unknown, command: Command) => (await load.flash()).listFlash(stoppedArguments(command)));
  flash
    .command("cat")
    .argument("<path>", "a key, or PLATFORM/NAME for a file")
    .description("one value, as it is, to standard output")
    .option("--secret", "also the token's private key", false)
    .action(async (path: string, { secret }: { readonly secret: boolean }, command: Command) =>
      (await load.flash()).catFlash(path, secret, stoppedArguments(command)),
    );
  flash
    .command("install-cert")
    .argument("<file>", "certificates, PEM or DER, or a folder of them, of which unusable files are passed over")
    .description("trust roots of TPM vendors, or the owner's")
    .option("--owner", "the owner's root, in the place of the one before", false)
    .action(async (file: string, { owner }: { readonly owner: boolean }, command: Command) =>
      (await load.flash()).installCertificate(file, owner, stoppedArguments(command)),
    );
  flash
    .command("export")
    .argument("<file>", "where to; - is standard output")
    .description("save the whole image")
    .action(async (file: string, _args: unknown, command: Command) =>
      (await load.image()).exportFlash(file, stoppedArguments(command).state),
    );
  flash
    .command("import")
    .argument("<file>", "an exported image")
    .description("put an image in the place of the token's")
    .addOption(yesOption())
    .action(async (file: string, { yes }: Yes, command: Command) =>
      (await load.image()).importFlash(file, yes, stoppedArguments(command).state),
    );
}

/** `fobnail-token`, also `fobnail token`. */
export function tokenCommand(name = "fobnail-token"): Command {
  const program = new Command(name)
    .description("an emulated Fobnail Token with its lamps in the terminal")
    .version(version)
    .enablePositionalOptions() // options of subcommands may have the names of options here
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .action(async (args: RunArguments, command: Command) => {
      refuseForeignOptions(command, args);
      if (args.printProfile) (await load.profile()).printProfile(profileOf(args), args.json);
      else await (await load.run()).runToken(settleLink(command, args));
    });
  for (const option of runOptions()) program.addOption(option);
  addAttach(program);
  addWipe(program);
  addPlatforms(program);
  addFlash(program);
  return program;
}

if (isMain(import.meta.url)) process.exitCode = await runProgram(tokenCommand(), process.argv.slice(2));
