#!/usr/bin/env node
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { realCalendar } from "../../../hw/clock/real.ts";
import { FileError } from "../../../hw/files/index.ts";
import { writeNewFiles } from "../../../hw/files/new-files.ts";
import { openOwnerRecord } from "../../../hw/files/owner-record.ts";
import { systemRandom } from "../../../hw/random/system.ts";
import { version } from "../../../hw/terminal/version.ts";
import { Exit, runProgram, Stop } from "../../cli/exit.ts";
import { initOwner, type OwnerKeyKind, ownerKeyKinds } from "../init.ts";
import { DEFAULT_DAYS } from "../issue.ts";
import { RECORD_FILE, type ServeArguments, serve } from "./serve.ts";

const COAP_PORT = 5683;
const MAX_DAYS = 36_500;

const EXAMPLES = `
Examples:
  fobnail-platform-owner init my-owner
  fobnail-platform-owner serve my-owner --api v0 --expect 1A2B3C4D5E6F7081
  fobnail-platform-owner serve my-owner --bind 169.254.0.8     (asks about each token)
  fobnail-platform-owner list my-owner

Exit codes: 0 done, 1 refused, 2 usage or unusable files, 3 network not to be had, 70 bug.`;

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,6}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`A whole number from ${min} to ${max} belongs here.`);
    }
    return value;
  };
}

/** Short enough that every subject keeps the 64 characters of RFC 5280, appendix A.1. */
function ownerName(text: string): string {
  if (!/^\P{Cc}{1,40}$/u.test(text)) throw new InvalidArgumentError("1 to 40 characters belong here.");
  return text;
}

/** As the token prints it; case and leading zeros do not matter here. */
function deviceId(text: string, before: readonly string[]): readonly string[] {
  if (!/^(?:0x)?[0-9a-fA-F]{1,32}$/.test(text)) {
    throw new InvalidArgumentError("A device id has 1 to 32 hexadecimal digits.");
  }
  const digits = text
    .replace(/^0x/, "")
    .toUpperCase()
    .replace(/^0+(?=.)/, "");
  return [...before, digits];
}

function init(folder: string, { name, key }: { readonly name: string; readonly key: OwnerKeyKind }): void {
  try {
    writeNewFiles(folder, initOwner({ name, key }, systemRandom, realCalendar));
  } catch (error) {
    if (error instanceof FileError) throw new Stop(Exit.Refused, error.message, { cause: error });
    throw error;
  }
  console.log(`${join(folder, "chain.pem")}: root, intermediate, issuing CA`);
  console.log(`${join(folder, "key.pem")}: key of the issuing CA`);
  console.log(`${join(folder, "root.pem")}: for the tokens (--owner-root)`);
  console.log(`${join(folder, "root-key.pem")}, intermediate-key.pem: not needed to serve; keep them elsewhere`);
}

function list(folder: string): void {
  if (!existsSync(folder)) throw new Stop(Exit.Usage, `${folder} is not there`);
  const day = (ms: number) => (ms > 8.64e15 ? "never" : new Date(ms).toISOString().slice(0, 10));
  for (const entry of openOwnerRecord(join(folder, RECORD_FILE)).list()) {
    console.log(`${entry.deviceId}  ${day(entry.notBefore)}  ${day(entry.notAfter)}  ${entry.serial}`);
  }
}

/** `fobnail-platform-owner`, also `fobnail owner`. */
export function ownerCommand(name = "fobnail-platform-owner"): Command {
  const program = new Command(name)
    .description("the Platform Owner: makes its keys and chain, provisions tokens")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    .addHelpText("afterAll", EXAMPLES);
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
    .description("provision tokens until Ctrl-C")
    .addOption(new Option("--api <version>", "which API").choices(["v0"]).default("v0"))
    .option("--bind <address>", "IPv4 address to listen on", "127.0.0.1")
    .option("--port <number>", "UDP port; 0 lets the system choose", wholeNumber(0, 65_535), COAP_PORT)
    .option("--expect <id>", "device id of a token that may have a certificate (repeatable)", deviceId, [])
    .option("--days <number>", "how long certificates are good for", wholeNumber(1, MAX_DAYS), DEFAULT_DAYS)
    .option("--chain <file>", "chain, root first, issuing CA last (default: <dir>/chain.pem)")
    .option("--key <file>", "key of the issuing CA, PKCS#8 (default: <dir>/key.pem)")
    .action((folder: string, args: ServeArguments) => serve(folder, args));
  program.command("list").argument("<dir>").description("the certificates that were issued").action(list);
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
