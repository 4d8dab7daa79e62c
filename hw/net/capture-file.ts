import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { Calendar, Clock, Log } from "../../shared/ports/index.ts";
import { FileError } from "../files/index.ts";
import { type Capture, createCapture } from "./capture.ts";

export interface CaptureFileOptions {
  readonly clock: Clock;
  readonly calendar: Calendar;
  readonly log: Log;
  readonly application?: string;
}

/** It holds what the token's files hold, such as keys of disks. */
const MODE = 0o600;

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "its folder is not there",
  EACCES: "not permitted",
  EISDIR: "it is a folder",
};

/** What was captured before `begin` is written then, and what the file held is gone: until then a program that does not come to work loses nothing. */
export interface CaptureFile extends Capture {
  begin(): void;
}

/**
 * A capture into a file, in the place of what it held. Each block is with the system when the call that made it returns: a
 * file of a program that was killed lacks nothing but comments. Throws FileError.
 */
export function openCaptureFile(path: string, options: CaptureFileOptions): CaptureFile {
  const file = openFile(path);
  let usable = true;
  let early: Uint8Array[] | undefined = [];
  const write = (bytes: Uint8Array) => {
    if (!usable) return;
    try {
      if (early === undefined) writeAll(file, bytes);
      else early.push(bytes);
    } catch (error) {
      usable = false; // half a block may be there: nothing behind it could be read
      closeSync(file);
      options.log.write("error", `${path} cannot be written any more, the capture ends here: ${codeOf(error)}`);
    }
  };
  const capture = createCapture(write, options);
  return {
    ...capture,
    begin() {
      const blocks = early ?? [];
      early = undefined;
      if (usable) ftruncateSync(file);
      for (const block of blocks) write(block);
    },
    close() {
      capture.close();
      if (usable) closeSync(file);
      usable = false;
    },
  };
}

function openFile(path: string): number {
  try {
    // O_NONBLOCK: a pipe without a reader must not hold the program before it is refused.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NONBLOCK;
    const file = openSync(path, flags, MODE);
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch (cause) {
    const code = codeOf(cause);
    throw new FileError(`${path} cannot be written: ${PROBLEMS[code] ?? code}`, { cause });
  }
  throw new FileError(`${path} is no ordinary file: a capture needs one`);
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
