#!/usr/bin/env node
import { isIPv4 } from "node:net";
import { Command, InvalidArgumentError, Option } from "commander";
import { version } from "../../hw/terminal/version.ts";
import { TPM_SPEC_FORMS } from "../../hw/tpm/spec.ts";
import { isMain, runProgram } from "./exit.ts";
import { type ServeArguments, serve } from "./serve.ts";

const COAP_PORT = 5683;

const EXAMPLES = `
Examples:
  fobnail-attester serve --api v0                                     this computer, its TPM (/dev/tpmrm0); as root
  fobnail tpm manufacture --tpm emulator:tpm --out vendor             a TPM to try things with, then
  fobnail-attester serve --tpm emulator:tpm --platform apu2           ... the walk-through's computer
  fobnail-attester serve --tpm swtpm:127.0.0.1:2401,ctrl=2402 --platform my-board.yaml
  fobnail-attester serve --tpm emulator:tpm --platform apu2 --profile strict --launch
  fobnail-attester serve --bind 169.254.0.8                           for the stick itself, on its USB network

A platform file is JSON or YAML: mac, manufacturer, product_name, serial_number, and if wanted smbios (2 or 3), firmware.

Exit codes: 0 done, 1 refused, 2 usage or unusable files, 3 TPM or network not to be had, 70 bug.`;

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError("A whole number from 0 to 65535 belongs here.");
  }
  return port;
}

function address(text: string): string {
  if (!isIPv4(text)) throw new InvalidArgumentError("An IPv4 address such as 127.0.0.1 belongs here.");
  return text;
}

const append = (text: string, before: readonly string[]): readonly string[] => [...before, text];

function serveCommand(): Command {
  return new Command("serve")
    .description("answer a token's questions until Ctrl-C")
    .addOption(new Option("--api <version>", "which API").choices(["v0"]).default("v0"))
    .option("--tpm <tpm>", `${TPM_SPEC_FORMS} (default: /dev/tpmrm0)`)
    .option("--platform <platform>", "host | apu2 | FILE: who this computer says it is", "host")
    .option("--port <number>", "UDP port; 0 lets the system choose", portNumber, COAP_PORT)
    .option("--bind <address>", "IPv4 address to listen on", address, "127.0.0.1")
    .addOption(
      new Option("--profile <name>", "compat: the reference's AIK; strict: a restricted one")
        .choices(["compat", "strict"])
        .default("compat"),
    )
    .addOption(new Option("--key <kind>", "kind of EK and AIK").choices(["rsa", "ecc"]).default("rsa"))
    .option(
      "--ek-chain <file>",
      "certificates between the EK's and the vendor's root, PEM or DER (repeatable)",
      append,
      [],
    )
    .option("--no-aia", "do not download missing certificates from the addresses in certificates")
    .option("--launch", "simulate a dynamic launch of sample files first (software TPMs)", false)
    .option("--json", "one JSON object a line", false)
    .option("--verbose", "say more", false)
    .addHelpText("after", EXAMPLES)
    .action((args: ServeArguments) => serve(args));
}

/** `fobnail-attester`, also `fobnail attester`. */
export function attesterCommand(name = "fobnail-attester"): Command {
  return new Command(name)
    .description("the computer's side: answers a token's questions with the help of a TPM")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .addCommand(serveCommand());
}

if (isMain(import.meta.url)) process.exitCode = await runProgram(attesterCommand(), process.argv.slice(2));
