import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { syncFolder } from "./folder.ts";

/** So much of a file's name stands in the name beside it, which has to fit as well. */
const NAME_LENGTH = 60;
const RANDOM_BYTES = 4;
const BESIDE_END = /^[0-9a-f]{8}\.new$/;

/**
 * Replaces a file so that a crash leaves the old content or the new one: written beside under a name that nothing has, synced, renamed.
 * Throws what the file system throws, and leaves nothing beside it then.
 */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  writeBeside(path, content, mode, (beside) => renameSync(beside, path));
  syncFolder(dirname(path)); // the rename itself
}

/** Does all of replaceFile but the replacing: throws what would keep it from that now, and leaves nothing. */
export function tryReplaceFile(path: string, content: Uint8Array, mode: number): void {
  writeBeside(path, content, mode, (beside) => rmSync(beside));
}

function writeBeside(path: string, content: string | Uint8Array, mode: number, then: (beside: string) => void): void {
  const beside = join(dirname(path), `${besideStart(path)}${randomBytes(RANDOM_BYTES).toString("hex")}.new`);
  const fd = openSync(beside, "wx", mode);
  try {
    writeSynced(fd, typeof content === "string" ? new TextEncoder().encode(content) : content);
    then(beside);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/**
 * Removes what a crash left beside a file, in a folder that can be read. For who holds the lock of this file, so that nobody is writing
 * there. Throws what the file system throws.
 */
export function removeUnfinished(path: string): void {
  const start = besideStart(path);
  for (const name of namesIn(dirname(path))) {
    const isBeside = name.startsWith(start) && BESIDE_END.test(name.slice(start.length));
    if (isBeside) rmSync(join(dirname(path), name), { force: true });
  }
}

const besideStart = (path: string) => `.${basename(path).slice(0, NAME_LENGTH)}.`;

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return [];
    throw error;
  }
}

/** Closes it as well. */
function writeSynced(fd: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
