import { hold } from "./hold.ts";
import { FileError } from "./text.ts";

const WAIT_MS = 5;
const TRIES = 600;

function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
}

/** Runs `change` while no other program does the same with this file; waits 3 s at most. For changes of milliseconds. Throws FileError. */
export function locked(path: string, change: () => void): void {
  const release = taken(path);
  try {
    change();
  } finally {
    release();
  }
}

function taken(path: string): () => void {
  const lockPath = `${path}.lock`;
  try {
    for (let tries = 1; tries <= TRIES; tries++) {
      const held = hold(lockPath);
      if ("release" in held) return held.release;
      wait();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${path} cannot be written: ${why}`, { cause: error });
  }
  throw new FileError(`${path} is in use; when no other program runs, delete ${lockPath}`);
}
