import { Command, Option } from "commander";
import { Exit, Stop } from "../exit.ts";
import { wholeSeconds, withV1Options } from "../options.ts";
import { type GateArguments, gate } from "./run.ts";
import { printTarget, readTarget } from "./target.ts";

const DEFAULT_TIMEOUT_S = 60;

const EXAMPLES = `
Examples:
  fobnail-attester gate --kexec /boot/vmlinuz --initrd /boot/initrd.img --cmdline "root=/dev/sda2 ro"
  fobnail-attester gate --on-green "cryptsetup open /dev/sda2 root --key-file /run/key" --on-red "poweroff -f" --timeout 120
  fobnail-attester gate && exec switch_root /new /sbin/init           as the first process, which no command of the gate is
  fobnail-attester gate --no-cap --on-green "systemctl start backup"  for a command that starts no other system
  fobnail-attester gate --print-target --kexec /boot/vmlinuz          what would be measured; no TPM, no token

Green: the target is loaded and measured, PCRs are capped so that nobody behind the gate can attest as this system, the command of
--on-green is run, and the kernel started. If any of it fails, nothing after it happens. The target goes into PCR 19 and caps into 17
and 18 where the TPM takes locality 2 (emulator:DIR, swtpm:...,ctrl=...); elsewhere the target goes into PCR 14 and a cap into PCR 7.
Anything else: the reason is told, the command of --on-red is run, and the exit code is not 0. A token that is not there yet is waited
for until --timeout.

Commands see FOBNAIL_VERDICT (green, red, none), FOBNAIL_REASON, FOBNAIL_DETAIL, FOBNAIL_PCRS and FOBNAIL_CAPPED: docs/gate.md.

Exit codes: 0 passed, 1 not trusted or not done, 2 usage or unusable files, 3 TPM, token or network not to be had, 70 bug.`;

interface CommandArguments extends GateArguments {
  readonly printTarget: boolean;
}

/** `fobnail-attester gate`. */
export function gateCommand(): Command {
  return withV1Options(new Command("gate").description("start something only if the token trusts this platform"))
    .option("--on-green <command>", "run it through the shell when the gate opens")
    .option("--on-red <command>", "run it through the shell when the gate stays shut, for whatever reason")
    .option("--kexec <kernel>", "start this kernel when the gate opens; as root")
    .option("--initrd <file>", "initrd of the kernel")
    .option("--cmdline <text>", "command line of the kernel (default: empty)")
    .option("--timeout <seconds>", "until when there must be a verdict", wholeSeconds, DEFAULT_TIMEOUT_S)
    .option("--log <file>", "append what the gate extends to this event log")
    .addOption(new Option("--no-cap", "leave the PCRs as they are; not with a kernel").conflicts(["kexec", "log"]))
    .option("--print-target", "print what would be measured, and do nothing", false)
    .addHelpText("after", EXAMPLES)
    .action(run);
}

function run(args: CommandArguments): Promise<void> {
  if (args.kexec === undefined) {
    for (const name of ["initrd", "cmdline"] as const) {
      if (args[name] !== undefined) throw new Stop(Exit.Usage, `--${name} belongs to a kernel: --kexec KERNEL`);
    }
  }
  if (!args.printTarget) return gate(args);
  printTarget(readTarget(args), args);
  return Promise.resolve();
}
