import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { Exit, type ExitCode, Stop } from "../../attester/cli/exit.ts";
import { usbOption } from "../../attester/cli/usb-link.ts";
import { realClock } from "../../hw/clock/real.ts";
import { systemRandom } from "../../hw/random/system.ts";
import { TPM_SPEC_FORMS } from "../../hw/tpm/spec.ts";
import type { UsbSpec } from "../../hw/usb-host/spec.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { parseHostPort, resolvePeer } from "../../token/cli/address.ts";
import { writeKeys } from "./keys.ts";
import { chosenRows, inOrder, unknownRows } from "./plan.ts";
import { junitOf, listLine, resultLine, summary } from "./report.ts";
import { type ProfileName, profileNames } from "./row.ts";
import { rows } from "./rows/index.ts";
import { type RowResult, runRow } from "./runner.ts";
import { emulatedTarget } from "./target/emulated.ts";
import { withMaterial } from "./target/material.ts";
import type { Target } from "./target/target.ts";
import { answers, udpTarget } from "./target/udp.ts";
import { withUsbTarget } from "./target/usb.ts";

const EXAMPLES = `
Targets:
  emulator           this program's token, over the whole emulated stick, in memory; the default
  emulator-udp       the same over UDP sockets of this machine
  udp:HOST:PORT      any token that runs there; it keeps the owner that the rows give it
  usb                a stick that this program drives itself: the only one, or --usb SERIAL | BUS-PATH | usbip:HOST[:PORT][/BUSID]

Examples:
  npm run conformance
  npm run conformance -- --profile compat --junit results.xml
  npm run conformance -- --row TP EV-28
  npm run conformance -- --write-roots keys
  npm run conformance -- --target udp:127.0.0.1:5683 --keys keys
  npm run conformance -- --target udp:169.254.0.1:5683 --chain owner/chain.pem --key owner/key.pem --tpm device
  npm run conformance -- --usb usbip:127.0.0.1 --keys keys

Exit codes: 0 no row fails, 1 one does, 2 usage, 3 token or TPM not reached, 70 bug.`;

type TargetName = "emulator" | "emulator-udp" | "usb" | Peer;

interface Arguments {
  readonly target: TargetName;
  readonly usb?: UsbSpec;
  readonly profile: ProfileName;
  readonly junit?: string;
  readonly row: readonly string[];
  readonly list: boolean;
  readonly writeRoots?: string;
  readonly keys?: string;
  readonly chain?: string;
  readonly key?: string;
  readonly tpm?: string;
}

function parseTarget(text: string): TargetName {
  if (text === "emulator" || text === "emulator-udp" || text === "usb") return text;
  if (text.startsWith("udp:")) return parseHostPort(text.slice("udp:".length));
  throw new InvalidArgumentError("It is emulator, emulator-udp, udp:HOST:PORT or usb.");
}

export function conformanceCommand(name = "npm run conformance --"): Command {
  return new Command(name)
    .description("hold a token to API v1, row by row, from outside")
    .showHelpAfterError("(--help tells more)")
    .addHelpText("after", EXAMPLES)
    .addOption(new Option("--target <target>", "which token").argParser(parseTarget).default("emulator"))
    .addOption(usbOption().implies({ target: "usb" }))
    .addOption(new Option("--profile <name>", "the token's profile").choices(profileNames).default("strict"))
    .option("--row <id...>", "only rows whose ids begin so", [])
    .option("--list", "show the rows and end", false)
    .option("--junit <file>", "write the results as JUnit XML")
    .option(
      "--write-roots <dir>",
      "make keys and roots of the suite in a new folder, say how to start a token, and end",
    )
    .option("--keys <dir>", "use the keys that --write-roots made")
    .option("--chain <file>", "the chain of the token's owner, root first (with --key and --tpm)")
    .option("--key <file>", "the key of its issuing CA")
    .option("--tpm <tpm>", `a TPM whose vendor the token trusts: ${TPM_SPEC_FORMS}`)
    .action(async (args: Arguments) => {
      process.exitCode = await run(args);
    });
}

async function run(args: Arguments): Promise<ExitCode> {
  const unknown = unknownRows(args.row);
  if (unknown.length > 0) throw new Stop(Exit.Usage, `there is no row ${unknown.join(", ")}; --list shows them`);
  if (args.list) return list(args);
  if (args.writeRoots !== undefined) return writeRoots(args.writeRoots, args.profile);
  if (args.junit !== undefined) write(args.junit, ""); // so that an impossible file is known now
  return withTarget(args, (target) => runAll(target, args));
}

function list({ profile, row }: Arguments): ExitCode {
  const chosen = chosenRows(profile, row);
  for (const one of chosen) console.log(listLine(one));
  console.log(`${chosen.length} rows for ${profile}, ${rows.length} altogether`);
  return Exit.Done;
}

function writeRoots(folder: string, profile: ProfileName): ExitCode {
  writeKeys(folder, systemRandom);
  console.log(`Keys and roots are in ${folder}. Start a new token with them:`);
  const roots = `--owner-root ${folder}/root.pem --ek-root ${folder}/vendor.pem`;
  console.log(`  fobnail token --net udp --profile ${profile} --state DIR ${roots}`);
  console.log("and try it:");
  console.log(`  npm run conformance -- --target udp:127.0.0.1:5683 --profile ${profile} --keys ${folder}`);
  return Exit.Done;
}

async function withTarget(args: Arguments, use: (target: Target) => Promise<ExitCode>): Promise<ExitCode> {
  const { target, profile } = args;
  if (args.usb !== undefined && target !== "usb") throw new Stop(Exit.Usage, "--usb belongs to --target usb");
  if (target === "emulator") return use(await emulatedTarget({ link: "usb", profile }));
  if (target === "emulator-udp") return use(await emulatedTarget({ link: "udp", profile }));
  if (target === "usb")
    return withMaterial(args, (material) => withUsbTarget({ usb: args.usb, profile, ...material }, use));
  const token = await resolvePeer(target);
  if (token === undefined) throw new Stop(Exit.Unreached, `${target.address} has no IPv4 address`);
  return withMaterial(args, async (material) => {
    if (!(await answers(token))) throw new Stop(Exit.Unreached, `no token answers at ${token.address}:${token.port}`);
    return use(await udpTarget({ token, profile, ...material }));
  });
}

async function runAll(target: Target, { profile, row, junit }: Arguments): Promise<ExitCode> {
  const chosen = chosenRows(profile, row);
  const results: RowResult[] = [];
  const began = realClock.now();
  console.log(`${target.name}, ${profile}: ${chosen.length} rows`);
  for (const one of target.stays ? inOrder(chosen) : chosen) {
    const result = await runRow(one, target);
    results.push(result);
    console.log(resultLine(result));
  }
  console.log(summary(results, realClock.now() - began));
  if (junit !== undefined) write(junit, junitOf(target.name, profile, results));
  return results.some(({ outcome }) => outcome === "fail") ? Exit.Refused : Exit.Done;
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new Stop(Exit.Usage, `${file} cannot be written: ${String(why)}`, { cause });
  }
}
