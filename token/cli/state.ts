import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Exit, Stop } from "../../attester/cli/exit.ts";
import { makeFolder } from "../../hw/files/index.ts";
import { type FileFlash, FlashFileError, openFileFlash, replaceFileFlash } from "../../hw/flash/index.ts";
import { StorageError } from "../storage/index.ts";

const FLASH_FILE = "flash.img";

/** `$XDG_STATE_HOME/fobnail/token`, or the same below `~/.local/state`. */
export function defaultStateFolder(): string {
  const base = process.env["XDG_STATE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".local", "state") : base, "fobnail", "token");
}

/** The flash image in a state folder, which is made when missing. Throws Stop with a sentence. */
export function openStateFlash(folder: string): FileFlash {
  return inStateFolder(folder, openFileFlash);
}

/** Puts an image in the place of what a state folder holds. Throws Stop with a sentence. */
export function replaceStateFlash(folder: string, image: Uint8Array): void {
  inStateFolder(folder, (path) => replaceFileFlash(path, image));
}

function inStateFolder<T>(folder: string, use: (path: string) => T): T {
  makeStateFolder(folder);
  try {
    return use(join(folder, FLASH_FILE));
  } catch (error) {
    if (!(error instanceof FlashFileError)) throw error;
    throw new Stop(error.reason === "unreachable" ? Exit.Usage : Exit.Refused, error.message, { cause: error });
  }
}

/** Whether a token has ever run there. Throws Stop when this user cannot tell. */
export function hasState(folder: string): boolean {
  try {
    return statSync(join(folder, FLASH_FILE), { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Stop(Exit.Usage, `${folder} cannot be looked at: ${code}`, { cause });
  }
}

function makeStateFolder(folder: string): void {
  if (folder === "") throw new Stop(Exit.Usage, "--state needs the name of a folder");
  try {
    makeFolder(folder, 0o700);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const problem = code === "EEXIST" ? `${folder} is not a folder` : `${folder} cannot be made: ${code}`;
    throw new Stop(Exit.Usage, problem, { cause });
  }
}

/** Runs `open` and turns what is wrong with the stored state into a sentence. */
export function withState<T>(folder: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw stateStop(folder, error);
  }
}

/** A StorageError as Stop with a sentence, any other error as it is. */
export function stateStop(folder: string, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  const way = `Erase it with: fobnail token wipe --state ${folder}`;
  return new Stop(Exit.Refused, `${join(folder, FLASH_FILE)}: ${error.message}. ${way}`, { cause: error });
}
