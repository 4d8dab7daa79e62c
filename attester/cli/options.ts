import { isIPv4 } from "node:net";
import { type Command, InvalidArgumentError, Option } from "commander";
import { TPM_SPEC_FORMS } from "../../hw/tpm/spec.ts";
import { V1_PORT } from "../../shared/protocol/index.ts";
import { parseHostPort } from "../../token/cli/address.ts";
import { withLogOptions } from "./own-logs.ts";
import { DEFAULT_TOKEN } from "./token-link.ts";
import { usbOption } from "./usb-link.ts";

/** Options that the attester's commands share. */

export const COAP_PORT = V1_PORT;

export function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError("A whole number from 0 to 65535 belongs here.");
  }
  return port;
}

export function address(text: string): string {
  if (!isIPv4(text)) throw new InvalidArgumentError("An IPv4 address such as 127.0.0.1 belongs here.");
  return text;
}

const MAX_SECONDS = 86_400;

export function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,5}$/.test(text) || seconds < 1 || seconds > MAX_SECONDS) {
    throw new InvalidArgumentError(`Seconds, a whole number from 1 to ${MAX_SECONDS}, belong here.`);
  }
  return seconds;
}

const append = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** The computer whose attester this is: its TPM, its names, its EK certificates. */
export interface ComputerArguments {
  readonly tpm?: string;
  readonly platform: string;
  readonly key: "rsa" | "ecc";
  readonly ekChain: readonly string[];
  readonly aia: boolean;
  readonly launch: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

export function withTpmOptions(command: Command): Command {
  return command
    .option("--tpm <tpm>", `${TPM_SPEC_FORMS} (default: /dev/tpmrm0)`)
    .option("--platform <platform>", "host | apu2 | FILE: who this computer says it is", "host");
}

export function withKeyOptions(command: Command): Command {
  return command
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
    .option("--verbose", "say more", false);
}

/** Which token, which computer, which keys. */
export function withV1Options(command: Command): Command {
  const token = new Option("--token <host:port>", "where the token is")
    .argParser(parseHostPort)
    .default(DEFAULT_TOKEN, `${DEFAULT_TOKEN.address}:${DEFAULT_TOKEN.port}`);
  return withLogOptions(withKeyOptions(withTpmOptions(command.addOption(token).addOption(usbOption()))));
}
