import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { holderName, livingHolder } from "./holder.ts";

/** How taking a lock file went. `heldBy` is the pid of the process that has it; undefined: another one was quicker just now. */
export type Hold = { readonly release: () => void } | { readonly heldBy: number | undefined };

const PRIVATE = 0o600;
const TRIES = 3;
/** More than the 2 s that lie between two times of a file on FAT. */
const MOMENT_MS = 3000;

/**
 * Takes a lock file for this process, at once or not at all. One whose holder is gone is taken over. `release` removes it and may be
 * called twice. Only processes of one pid namespace see each other: two containers on one volume do not. Throws what the file system throws.
 */
export function hold(lockPath: string): Hold {
  const me = `${holderName(process.pid)}\n`;
  for (let tries = 0; tries < TRIES; tries++) {
    if (made(lockPath, me)) return { release: () => release(lockPath, me) };
    const other = textOf(lockPath);
    const heldBy = other === undefined ? undefined : livingHolder(other);
    if (heldBy !== undefined) return { heldBy };
    if (other !== undefined && !isBeingMade(lockPath, other)) removeDead(lockPath, other);
  }
  return { heldBy: undefined };
}

/** False when the file is there. It is written beside and linked, so that it is never there without its text. */
function made(lockPath: string, text: string): boolean {
  const beside = besideOf(lockPath);
  writeFileSync(beside, text, { mode: PRIVATE });
  try {
    return created(() => linkSync(beside, lockPath));
  } catch (error) {
    if (!hasCode(error, "EPERM")) throw error;
    // a file system without links, as memory sticks have
    return created(() => writeFileSync(lockPath, text, { flag: "wx", mode: PRIVATE }));
  } finally {
    rmSync(beside, { force: true });
  }
}

/** Without links the file is there before its text. One that stays empty was left by a crash. */
function isBeingMade(lockPath: string, text: string): boolean {
  if (text !== "") return false;
  const stat = statSync(lockPath, { throwIfNoEntry: false });
  return stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) < MOMENT_MS;
}

function created(create: () => void): boolean {
  try {
    create();
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Two processes may find the same dead holder: who takes away the other's new lock instead puts it back. */
function removeDead(lockPath: string, dead: string): void {
  const beside = besideOf(lockPath);
  try {
    renameSync(lockPath, beside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return; // another one did it
    throw error;
  }
  const taken = textOf(beside);
  if (taken !== undefined && taken !== dead) made(lockPath, taken);
  else rmSync(beside, { force: true });
}

function release(lockPath: string, me: string): void {
  if (textOf(lockPath) === me) rmSync(lockPath, { force: true });
}

const besideOf = (lockPath: string) => `${lockPath}.${process.pid}`;

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
