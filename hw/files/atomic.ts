import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "./folder.ts";

/** Replaces a file so that a crash leaves the old content or the new one: written beside, synced, renamed. Throws what the file system throws. */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  const beside = `${path}.new`;
  rmSync(beside, { force: true }); // what a crash left
  const fd = openSync(beside, "wx", mode);
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
  syncFolder(dirname(path)); // the rename itself
}
