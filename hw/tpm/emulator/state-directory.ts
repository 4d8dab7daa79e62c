import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeUnfinished, replaceFile } from "../../files/atomic.ts";
import { makeFolder } from "../../files/folder.ts";
import { hold } from "../../files/hold.ts";
import { StateDirectoryError, type TpmStateStore } from "./state-store.ts";

const STATE_FILE = "tpm-state";
const VOLATILE_FILE = "tpm-volatile";
const LOCK_FILE = "lock";
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/**
 * Keeps the state in a file of `directory`, which is made when missing (mode 0700, the file 0600: it holds the seeds), and a volatile
 * state that is stored in another. A crash at any instant leaves the old state or the new one. Throws StateDirectoryError when another
 * process that still lives holds the directory; so do its methods, with the reason, for what the file system refuses.
 */
export function openStateDirectory(directory: string): TpmStateStore {
  attempt(`The TPM state directory ${directory} cannot be made`, () => makeFolder(directory, FOLDER_MODE));
  const held = attempt(`The TPM state directory ${directory} cannot be written`, () =>
    hold(join(directory, LOCK_FILE)),
  );
  if (!("release" in held)) {
    const who = held.heldBy === undefined ? "another process" : `process ${held.heldBy}`;
    throw new StateDirectoryError(`The TPM state directory ${directory} is in use by ${who}.`);
  }
  const file = join(directory, STATE_FILE);
  const volatileFile = join(directory, VOLATILE_FILE);
  try {
    attempt(`The TPM state directory ${directory} cannot be tidied`, () => {
      for (const path of [file, volatileFile]) removeUnfinished(path);
    });
  } catch (error) {
    held.release();
    throw error;
  }
  return {
    file,
    load: () => readIfThere(file),
    save: (state) => attempt(`${file} cannot be written`, () => replaceFile(file, state, FILE_MODE)),
    volatileFile,
    loadVolatile: () => readIfThere(volatileFile),
    saveVolatile(state) {
      if (state === undefined)
        attempt(`${volatileFile} cannot be removed`, () => rmSync(volatileFile, { force: true }));
      else attempt(`${volatileFile} cannot be written`, () => replaceFile(volatileFile, state, FILE_MODE));
    },
    close: held.release,
  };
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw refused(`${file} cannot be read`, error);
  }
}

function attempt<T>(problem: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refused(problem, error);
  }
}

function refused(problem: string, cause: unknown): StateDirectoryError {
  const reason = cause instanceof Error && "code" in cause ? cause.code : cause;
  return new StateDirectoryError(`${problem}: ${String(reason)}.`, { cause });
}
