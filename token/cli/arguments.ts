import { isIPv4 } from "node:net";
import { type Command, InvalidArgumentError, Option } from "commander";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import type { Peer } from "../../shared/ports/index.ts";
import { V1_PORT } from "../../shared/protocol/index.ts";
import type { EnrolmentRule } from "../domain/domain.ts";
import { DEFAULT_FILE_LIMITS, FileMaximum } from "../domain/files.ts";
import { parseHostPort } from "./address.ts";
import { type BusArguments, busOptions } from "./bus-options.ts";
import { defaultStateFolder } from "./state.ts";
import { wholeNumber } from "./whole-number.ts";

export type Api = "v0" | "v1";
export type ProfileName = "strict" | "compat";

export interface RunArguments extends BusArguments {
  readonly state: string;
  readonly api: Api;
  readonly net: "usb" | "udp";
  /** As `profileOf` says when it was not given. */
  readonly profile?: ProfileName;
  readonly printProfile: boolean;
  readonly ownerRoot?: string;
  readonly ekRoot: readonly string[];
  readonly enrol: EnrolmentRule;
  readonly once: boolean;
  readonly unplugged: boolean;
  readonly json: boolean;
  /** API v0. */
  readonly attester: Peer;
  readonly owner?: Peer;
  readonly enrolNew: boolean;
  /** API v1. */
  readonly bind: string;
  readonly port: number;
  readonly fileLimit: number;
  readonly quota: number;
}

const DEFAULT_ATTESTER = "127.0.0.1:5683";
const MAX_PORT = 65_535;
/** As much as the flash holds, and more. */
const MAX_QUOTA = 1 << 20;

/** Why an option means nothing in the other API. */
const ONLY_IN: Readonly<Record<string, readonly [Api, string]>> = {
  attester: ["v0", "in API v1 the token does not ask: give the attester the token's address instead"],
  owner: ["v0", "in API v1 the token does not ask: give the owner's program the token's address instead"],
  enrolNew: ["v0", "in API v1 every platform that asks is provisioned, unless --enrol first is given"],
  bind: ["v1", "in API v0 the token asks, and nobody sends to it unasked: see --attester"],
  port: ["v1", "in API v0 the token asks, and nobody sends to it unasked: see --attester"],
  fileLimit: ["v1", "API v0 has no files"],
  quota: ["v1", "API v0 has no files"],
};

export function profileOf({ api, profile }: Pick<RunArguments, "api" | "profile">): ProfileName {
  return profile ?? (api === "v1" ? "strict" : "compat");
}

function ownAddress(text: string): string {
  if (!isIPv4(text)) throw new InvalidArgumentError("An IPv4 address of this machine belongs here, such as 127.0.0.1.");
  return text;
}

const append = (text: string, before: readonly string[]): readonly string[] => [...before, text];

export const stateOption = (): Option =>
  new Option("--state <dir>", "where the token keeps its flash").default(defaultStateFolder());

export const jsonOption = (): Option => new Option("--json", "one JSON object a line").default(false);

/** All options of a running token, those of both APIs first. */
export function runOptions(): readonly Option[] {
  const numeric = (flags: string, about: string, min: number, max: number, value: number) =>
    new Option(flags, about).argParser(wholeNumber(min, max)).default(value);
  return [
    stateOption(),
    new Option("--api <version>", "v1: programs ask the token; v0: the token asks").choices(["v1", "v0"]).default("v1"),
    new Option("--net <link>", "usb: an emulated computer with the stick in it; udp: a plain socket")
      .choices(["usb", "udp"])
      .default("usb"),
    ...busOptions(),
    new Option("--profile <name>", "strict: as specified; compat: as the reference firmware (default: strict, v0 compat)") // biome-ignore format: one option
      .choices(["strict", "compat"]),
    new Option("--print-profile", "show what the profile decides, row by row, and end").default(false),
    new Option("--owner-root <file>", "the owner's root certificate; kept in the state"),
    new Option("--ek-root <file|dir>", "root certificates of TPM vendors; kept in the state (repeatable)")
      .argParser(append)
      .default([]),
    new Option(
      "--enrol <which>",
      "any: every platform that asks (v0: with --enrol-new); first: none while one is known",
    )
      .choices(["any", "first"])
      .default("any"),
    new Option("--once", "end after the first verdict (v0: or refusal)").default(false),
    new Option("--unplugged", "start unplugged").default(false),
    jsonOption(),
    new Option("--bind <address>", "v1: where programs reach the token").argParser(ownAddress).default("127.0.0.1"),
    numeric("--port <number>", "v1: UDP port; 0 lets the system choose", 0, MAX_PORT, V1_PORT),
    numeric("--file-limit <bytes>", "v1: one file", 1, FileMaximum.FILE_BYTES, DEFAULT_FILE_LIMITS.fileBytes),
    numeric("--quota <bytes>", "v1: all files of a platform", 1, MAX_QUOTA, DEFAULT_FILE_LIMITS.quotaBytes),
    new Option("--attester <host:port>", "v0: the attester's server")
      .argParser(parseHostPort)
      .default(
        parseHostPort(DEFAULT_ATTESTER),
        `${DEFAULT_ATTESTER}; over --usbip, --usbredir or --tap 169.254.0.8:5683`,
      ),
    new Option("--owner <host:port>", "v0: the owner's server (default: the attester's address)").argParser(
      parseHostPort,
    ),
    new Option("--enrol-new", "v0: provision an unknown platform although others are known").default(false),
  ];
}

/** Throws Stop for an option that was given and means nothing with the API that was chosen, or with another one. */
export function refuseForeignOptions(command: Command, { api, enrol, enrolNew }: RunArguments): void {
  for (const [name, [only, why]] of Object.entries(ONLY_IN)) {
    if (only === api || command.getOptionValueSource(name) !== "cli") continue;
    const flag = command.options.find((option) => option.attributeName() === name)?.long ?? name;
    throw new Stop(Exit.Usage, `${flag} is for --api ${only} only: ${why}`);
  }
  if (enrol === "first" && enrolNew) throw new Stop(Exit.Usage, "--enrol first and --enrol-new contradict each other");
}

/** The value of an option of `command` or of a command above it: the nearest that was given, else the nearest default. */
export function nearest<T>(command: Command, name: string): T | undefined {
  const line: Command[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) line.push(at);
  const given = line.find((at) => at.getOptionValueSource(name) === "cli");
  const found = given ?? line.find((at) => at.getOptionValue(name) !== undefined);
  return found?.getOptionValue(name);
}

/** What commands on a stopped token share. */
export interface StoppedArguments {
  readonly state: string;
  readonly json: boolean;
}

export function stoppedArguments(command: Command): StoppedArguments {
  return { state: nearest<string>(command, "state") ?? "", json: nearest<boolean>(command, "json") ?? false };
}
