import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../files/folder.ts";
import type { TpmStateStore } from "./state-store.ts";

const STATE_FILE = "tpm-state";
const LOCK_FILE = "lock";

/** The directory is in use or not usable, or what is in it is no state; the message is a sentence for people. */
export class StateDirectoryError extends Error {
  override readonly name = "StateDirectoryError";
}

/**
 * Keeps the state in one file of `directory`, which is made when missing (mode 0700, the file 0600: it holds the seeds). Written to
 * a new file, synced, renamed: a crash at any instant leaves the old state or the new one. Throws StateDirectoryError when another
 * process that still lives holds the directory.
 */
export function openStateDirectory(directory: string): TpmStateStore {
  attempt(`The TPM state directory ${directory} cannot be made`, () => makeFolder(directory, 0o700));
  const unlock = takeLock(directory);
  const file = join(directory, STATE_FILE);
  return {
    file,
    load: () => readIfThere(file),
    save: (state) => replaceFile(directory, file, state),
    close: unlock,
  };
}

function replaceFile(directory: string, file: string, content: Uint8Array): void {
  const next = `${file}.new`;
  const fd = openSync(next, "w", 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, file);
  const dir = openSync(directory, "r");
  try {
    fsyncSync(dir); // the rename itself
  } finally {
    closeSync(dir);
  }
}

/** The lock names its holder by pid and start time, so that a killed process does not lock the directory for ever. */
function takeLock(directory: string): () => void {
  const file = join(directory, LOCK_FILE);
  const me = holder(process.pid);
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(file, me, { flag: "wx", mode: 0o600 });
      return () => {
        if (text(readIfThere(file)) === me) rmSync(file, { force: true });
      };
    } catch (error) {
      if (!hasCode(error, "EEXIST")) {
        throw new StateDirectoryError(`The TPM state directory ${directory} cannot be written.`, { cause: error });
      }
    }
    const other = text(readIfThere(file)) ?? "";
    const pid = Number.parseInt(other, 10);
    if (pid > 0 && isAlive(pid) && holder(pid) === other) {
      throw new StateDirectoryError(`The TPM state directory ${directory} is in use by process ${pid}.`);
    }
    rmSync(file, { force: true });
  }
  throw new StateDirectoryError(`The TPM state directory ${directory} is in use by another process.`);
}

function holder(pid: number): string {
  return `${pid} ${startTimeOf(pid)}`;
}

/** Field 22 of /proc/PID/stat; "-" where there is no such file. */
function startTimeOf(pid: number): string {
  const stat = text(readIfThere(`/proc/${pid}/stat`));
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

function readIfThere(file: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new StateDirectoryError(`${file} cannot be read.`, { cause: error });
  }
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function attempt(problem: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new StateDirectoryError(`${problem}.`, { cause: error });
  }
}
