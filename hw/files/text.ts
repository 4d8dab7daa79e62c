import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** A file that cannot be used; the message is a sentence with its name. */
export class FileError extends Error {
  override readonly name = "FileError";
}

function why(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "is not there";
  if (code === "EACCES" || code === "EPERM") return "may not be read by this user";
  if (code === "EISDIR") return "is a folder";
  return `cannot be read: ${String(code ?? error)}`;
}

/** What is taken at first of a file that does not tell its size. */
const FIRST_BYTES = 64 * 1024;

/** At most one byte more than `maxBytes`: a device need not end. `sizeBytes` is what the file says of its size. */
function readUpTo(fd: number, sizeBytes: number, maxBytes: number): Uint8Array {
  let bytes = new Uint8Array(Math.min(Math.max(sizeBytes, FIRST_BYTES), maxBytes) + 1);
  let length = 0;
  for (;;) {
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    length += count;
    if (count === 0 || length > maxBytes) return bytes.slice(0, length);
    if (length === bytes.length) bytes = grown(bytes, Math.min(2 * length, maxBytes + 1));
  }
}

function grown(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const more = new Uint8Array(size);
  more.set(bytes);
  return more;
}

/** All bytes of a file, device or pipe of at most `maxBytes`: waits for whoever writes a pipe. Throws FileError. */
export function readFileBytes(path: string, maxBytes: number): Uint8Array {
  return opened(path, constants.O_RDONLY, (fd) => readAll(path, fd, maxBytes));
}

/** The same of a regular file alone, as for programs that must not wait: a pipe that nobody writes would hold them up for ever. Throws FileError. */
export function readRegularFile(path: string, maxBytes: number): Uint8Array {
  return openedRegular(path, (fd) => readAll(path, fd, maxBytes));
}

/** Throws FileError where readRegularFile does, whatever the size. */
export function checkRegularFile(path: string): void {
  openedRegular(path, () => undefined);
}

function openedRegular<T>(path: string, use: (fd: number) => T): T {
  return opened(path, constants.O_RDONLY | constants.O_NONBLOCK, (fd) => {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw new FileError(`${path} is a folder`);
    if (!stats.isFile()) throw new FileError(`${path} is no regular file`);
    return use(fd);
  });
}

function readAll(path: string, fd: number, maxBytes: number): Uint8Array {
  const { size } = fstatSync(fd);
  if (size > maxBytes) throw new FileError(`${path} holds ${size} bytes; at most ${maxBytes} belong here`);
  const bytes = readUpTo(fd, size, maxBytes);
  if (bytes.length > maxBytes) throw new FileError(`${path} holds more than ${maxBytes} bytes`);
  return bytes;
}

function opened<T>(path: string, flags: number, use: (fd: number) => T): T {
  try {
    const fd = openSync(path, flags);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${path} ${why(error)}`, { cause: error });
  }
}

/** A UTF-8 text file of at most `maxBytes`. Throws FileError. */
export function readTextFile(path: string, maxBytes: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileBytes(path, maxBytes));
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${path} is not a UTF-8 text`, { cause: error });
  }
}
