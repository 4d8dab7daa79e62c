import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { realCalendar } from "../../../hw/clock/real.ts";
import { readFileBytes } from "../../../hw/files/index.ts";
import { openOwnerRecord } from "../../../hw/files/owner-record.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { Exit, Stop } from "../../cli/exit.ts";
import { type OwnerMaterial, readMaterial } from "../material.ts";
import type { RevocableRecord } from "../record.ts";

const MAX_PEM_BYTES = 256 * 1024;
/** Beside the chain, unless said otherwise. */
export const RECORD_FILE = "issued.json";

/** The owner's chain and key. Rejects what is wrong with a sentence that names the files. */
export function readOwner(chainFile: string, keyFile: string, log: Log): OwnerMaterial {
  const [chain, key] = [readFileBytes(chainFile, MAX_PEM_BYTES), readFileBytes(keyFile, MAX_PEM_BYTES)];
  const outcome = readMaterial(chain, key, realCalendar.today());
  if (!outcome.ok) throw new Stop(Exit.Usage, `${chainFile}, ${keyFile}: ${outcome.problem}`);
  const { material } = outcome;
  for (const warning of material.warnings) log.write("warn", `${warning}; tokens have no calendar and do not mind.`);
  return material;
}

/** The record in an owner's folder, or the one that the path names itself. */
export function openRecord(path: string): { readonly path: string; readonly record: RevocableRecord } {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const file = isFolder ? join(path, RECORD_FILE) : path;
  if (!existsSync(dirname(file))) throw new Stop(Exit.Usage, `${dirname(file)} is not there`);
  return { path: file, record: openOwnerRecord(file) };
}

/** The same, of something that is there. */
export function openExistingRecord(path: string): { readonly path: string; readonly record: RevocableRecord } {
  if (!existsSync(path)) throw new Stop(Exit.Usage, `${path} is not there`);
  return openRecord(path);
}
