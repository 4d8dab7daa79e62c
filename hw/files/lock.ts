import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { holderName, livingHolder } from "./holder.ts";
import { FileError } from "./text.ts";

const PRIVATE = 0o600;
const WAIT_MS = 5;
const TRIES = 600;

/** What the lock file says; undefined when it is gone by now. */
function holderOf(lockPath: string): string | undefined {
  try {
    return readFileSync(lockPath, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** False when somebody else holds the lock; a lock whose holder is gone is taken away. */
function take(lockPath: string): boolean {
  try {
    writeFileSync(lockPath, `${holderName(process.pid)}\n`, { flag: "wx", mode: PRIVATE });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    const holder = holderOf(lockPath);
    // An empty file is one that is being written.
    if (holder !== undefined && holder !== "" && livingHolder(holder) === undefined) rmSync(lockPath, { force: true });
    return false;
  }
}

function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
}

/** Runs `change` while no other program does the same with this file; waits 3 s at most. For changes of milliseconds. Throws FileError. */
export function locked(path: string, change: () => void): void {
  const lockPath = `${path}.lock`;
  try {
    for (let tries = 1; !take(lockPath); tries++) {
      if (tries === TRIES) throw new FileError(`${path} is in use; when no other program runs, delete ${lockPath}`);
      wait();
    }
  } catch (error) {
    if (error instanceof FileError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${path} cannot be written: ${why}`, { cause: error });
  }
  try {
    change();
  } finally {
    rmSync(lockPath, { force: true });
  }
}
