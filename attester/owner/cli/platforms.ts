import { dirname } from "node:path";
import { systemRandom } from "../../../hw/random/system.ts";
import { jsonLine } from "../../../hw/terminal/json.ts";
import { createTextLog } from "../../../hw/terminal/log.ts";
import { printable } from "../../../hw/terminal/printable.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { Exit, Stop } from "../../cli/exit.ts";
import type { TokenPlace } from "../../cli/token-link.ts";
import {
  type Administered,
  type AdministrationOptions,
  type EnrolledPlatform,
  findPlatform,
  listPlatforms,
  removePlatform,
  renamePlatform,
} from "../platforms.ts";
import { onlyToken } from "../record.ts";
import { openExistingRecord, openRecord, readOwner } from "./files.ts";
import { isYes } from "./question.ts";
import { tableOf } from "./table.ts";
import { withToken } from "./token.ts";

/** `platforms`: those that a token knows, by extension 3 of API v1. */

export interface PlatformsArguments extends TokenPlace {
  readonly chain: string;
  readonly key: string;
  /** Device id of the token that is meant. */
  readonly expect?: string;
  /** Beside the chain unless said: where it knows one token only, that is meant. */
  readonly record?: string;
  readonly json: boolean;
}

const SHOWN_DIGITS = 12;

function wanted<T>(outcome: Administered<T>): T {
  if (!outcome.ok) throw new Stop(Exit.Refused, outcome.sentence);
  return outcome.value;
}

const ANY_TOKEN =
  "what is signed now is good for any token of this owner: the record of issued certificates does not tell which one is meant, --expect does";

function meantToken({ expect, record, chain }: PlatformsArguments, log: Log): string | undefined {
  const opened = () => (record === undefined ? openRecord(dirname(chain)) : openExistingRecord(record)).record;
  const token = expect ?? onlyToken(opened());
  if (token === undefined) log.write("warn", ANY_TOKEN);
  return token;
}

function asOwner(
  args: PlatformsArguments,
  use: (options: AdministrationOptions, ended: AbortSignal) => Promise<void>,
): Promise<void> {
  const log = createTextLog({ out: process.stderr });
  const { key, scheme } = readOwner(args.chain, args.key, log);
  const token = meantToken(args, log);
  return withToken(args, log, (wire, ended) => use({ wire, key, scheme, random: systemRandom, token }, ended));
}

function fact({ idBytes: _, ...facts }: EnrolledPlatform): string {
  return jsonLine(facts);
}

function describe({ id, name, manufacturer, productName, serialNumber }: EnrolledPlatform): string {
  const named = name === "" ? "" : `"${name}", `;
  return printable(`${id.slice(0, SHOWN_DIGITS)} (${named}${manufacturer} ${productName} ${serialNumber})`);
}

export function list(args: PlatformsArguments): Promise<void> {
  return asOwner(args, async (options) => {
    const platforms = wanted(await listPlatforms(options));
    if (args.json) {
      for (const platform of platforms) console.log(fact(platform));
      return;
    }
    if (platforms.length === 0) {
      console.log("The token knows no platform yet.");
      return;
    }
    const rows = platforms.map((platform) => [
      platform.id.slice(0, SHOWN_DIGITS),
      platform.name === "" ? "-" : platform.name,
      platform.manufacturer,
      platform.productName,
      platform.serialNumber,
      String(platform.files),
      String(platform.sizeBytes),
      platform.attested > 0 ? "yes" : "no",
    ]);
    console.log(tableOf(["ID", "NAME", "MANUFACTURER", "PRODUCT", "SERIAL", "FILES", "BYTES", "ATTESTED"], rows));
  });
}

async function chosen(text: string, options: AdministrationOptions): Promise<EnrolledPlatform> {
  const found = findPlatform(wanted(await listPlatforms(options)), text);
  if (!found.ok) throw new Stop(Exit.Refused, found.sentence);
  return found.platform;
}

export function rename(text: string, name: string, args: PlatformsArguments): Promise<void> {
  return asOwner(args, async (options) => {
    const platform = await chosen(text, options);
    wanted(await renamePlatform(platform, name, options));
    if (args.json) console.log(fact({ ...platform, name }));
    else console.log(name === "" ? `${describe(platform)}: name taken away` : `${describe({ ...platform, name })}`);
  });
}

export async function remove(text: string, args: PlatformsArguments & { readonly yes: boolean }): Promise<void> {
  const { yes, json } = args;
  if (!yes && process.stdin.isTTY !== true) {
    throw new Stop(Exit.Usage, "there is no terminal to ask on: --yes removes without asking");
  }
  await asOwner(args, async (options, ended) => {
    const platform = await chosen(text, options);
    const { files } = platform;
    const what = `${describe(platform)}, with its ${files === 1 ? "file" : `${files} files`}`;
    if (!yes && !(await isYes(`Remove ${what}?`, json ? process.stderr : process.stdout, ended))) {
      throw new Stop(Exit.Refused, "not removed");
    }
    wanted(await removePlatform(platform, options));
    console.log(json ? fact(platform) : `Removed ${what}.`);
  });
}
