import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { replaceFile, tryReplaceFile } from "../../hw/files/atomic.ts";
import { FileError, readFileBytes } from "../../hw/files/index.ts";
import { concat } from "../../shared/bytes/index.ts";

/** Files of this computer on their way from and to the token. */

/** As a local file name: standard input, or standard output. */
export const STANDARD = "-";

/** More than any token takes of one file: the largest body of our CoAP endpoint. */
const MAX_BYTES = 65_536;
/** Only who runs this reads what the token kept secret. */
const MODE = 0o600;

/** All of a file, or of standard input, of at most `maxBytes`. Rejects with FileError. */
export async function readLocal(path: string, maxBytes = MAX_BYTES): Promise<Uint8Array> {
  if (path !== STANDARD) return readFileBytes(path, maxBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of process.stdin) {
    if (!(part instanceof Uint8Array)) throw new TypeError("standard input gives text");
    size += part.byteLength;
    if (size > maxBytes) throw new FileError(`standard input holds more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return concat(...parts);
}

/** Throws FileError when nothing can be written there, as far as one can tell beforehand. */
export function checkTarget(path: string): void {
  if (path === STANDARD) return;
  const folder = dirname(path);
  if (statOf(folder)?.isDirectory() !== true) throw new FileError(`${path} cannot be written: ${folder} is no folder`);
  if (statOf(path)?.isDirectory() === true) throw new FileError(`${path} cannot be written: it is a folder`);
}

/** Throws FileError when nothing that is as large can take the place of this file. Leaves everything as it is. */
export function checkReplaced(path: string, data: Uint8Array): void {
  try {
    tryReplaceFile(realpathSync(path), data, MODE);
  } catch (error) {
    throw new FileError(`${path} cannot be written: ${why(error)}`, { cause: error });
  }
}

/** Names of open descriptors: what is behind them may be a file, and is not to be taken from under whoever opened it. */
const OPEN_ALREADY = /^\/dev\/(std(in|out|err)|fd\/\d+)$|^\/proc\/(self|thread-self|\d+)\/(task\/\d+\/)?fd\/\d+$/;

/**
 * A file is replaced as a whole, so that nobody sees half of it; devices, pipes, and files that are named by their open descriptor
 * are written to. Rejects with FileError.
 */
export async function writeLocal(path: string, data: Uint8Array): Promise<void> {
  if (path === STANDARD) return writeStandardOutput(data);
  try {
    const stats = statOf(path);
    if (stats === undefined) replaceFile(path, data, MODE);
    else if (stats.isFile() && !isOpenAlready(path)) replaceFile(realpathSync(path), data, MODE);
    else if (isStandardOutput(path))
      await writeStandardOutput(data); // a socket can be written to, but not opened
    else await writeFile(path, data, { flag: "a" });
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${path} cannot be written: ${why(error)}`, { cause: error });
  }
}

/** Also through links. */
function isOpenAlready(path: string): boolean {
  const folder = realpathSync(dirname(resolve(path)));
  const name = join(folder, basename(path));
  if (OPEN_ALREADY.test(name)) return true;
  return lstatSync(name).isSymbolicLink() && isOpenAlready(resolve(folder, readlinkSync(name)));
}

/** Whether what is written there comes out of standard output, where no sentence belongs then. Throws FileError. */
export function isStandardOutput(path: string): boolean {
  if (path === STANDARD) return true;
  const [there, output] = [statOf(path), fstatSync(process.stdout.fd)];
  return there !== undefined && there.dev === output.dev && there.ino === output.ino;
}

function writeStandardOutput(data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => {
      if (error == null) resolve();
      else reject(new FileError(`standard output cannot be written: ${why(error)}`, { cause: error }));
    });
  });
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new FileError(`${path} cannot be looked at: ${why(error)}`, { cause: error });
  }
}

function why(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
