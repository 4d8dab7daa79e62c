import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Flash, FlashGeometry } from "../../shared/ports/index.ts";
import { removeUnfinished, replaceFile } from "../files/atomic.ts";
import { hold } from "../files/hold.ts";
import { createRamFlash } from "./ram.ts";
import { STICK_GEOMETRY, sizeOf } from "./rules.ts";

/** Why an image file cannot be the flash. The message is a sentence for people. */
export class FlashFileError extends Error {
  override readonly name = "FlashFileError";
  readonly reason: "wrong-size" | "in-use" | "unreachable";

  constructor(reason: FlashFileError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface FileFlash extends Flash {
  readonly path: string;
  /** Gives the image back to other processes. Every operation was on the disk before it returned. */
  close(): void;
}

/**
 * Flash in an image file: the raw bytes of the chip, nothing else. A missing file is made, erased, mode 0600 (its folder 0700); each
 * operation is written in place and synced before it returns. One process at a time: `PATH.lock` names the process.
 *
 * @throws FlashFileError
 */
export function openFileFlash(path: string, geometry: FlashGeometry = STICK_GEOMETRY): FileFlash {
  const held = reaching(path, () => lock(path));
  try {
    reaching(path, () => removeUnfinished(path));
    const file = reaching(path, () => openImage(path, geometry));
    return fileFlash(path, geometry, file, held);
  } catch (error) {
    held();
    throw error;
  }
}

/**
 * Puts an image in the place of what is at `path`, whatever that is: written beside and renamed, so that a crash leaves the
 * old or the new one. Refused while a process has it open.
 *
 * @throws FlashFileError
 */
export function replaceFileFlash(path: string, image: Uint8Array, geometry: FlashGeometry = STICK_GEOMETRY): void {
  if (image.byteLength !== sizeOf(geometry)) throw new RangeError(`flash: an image of ${image.byteLength} bytes`);
  const held = reaching(path, () => lock(path));
  try {
    reaching(path, () => {
      removeUnfinished(path);
      replaceFile(path, image, 0o600);
    });
  } finally {
    held();
  }
}

function fileFlash(path: string, geometry: FlashGeometry, file: OpenImage, unlock: () => void): FileFlash {
  const { fd, bytes } = file;
  const cache = createRamFlash(geometry, bytes);
  let open = true;
  const write = (at: number, data: Uint8Array) =>
    reaching(path, () => {
      for (let done = 0; done < data.byteLength; ) done += writeSync(fd, data, done, data.byteLength - done, at + done);
      fdatasyncSync(fd);
    });
  return {
    path,
    geometry,
    read: (at, size) => cache.read(at, size),
    program(at, data) {
      cache.program(at, data); // refuses what a chip would not do, before the file is touched
      write(at, data);
    },
    erase(page) {
      cache.erase(page);
      write(page * geometry.pageBytes, cache.read(page * geometry.pageBytes, geometry.pageBytes));
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
      unlock();
    },
  };
}

interface OpenImage {
  readonly fd: number;
  readonly bytes: Uint8Array;
}

function openImage(path: string, geometry: FlashGeometry): OpenImage {
  if (!existsSync(path)) makeErased(path, geometry);
  const bytes = new Uint8Array(readFileSync(path));
  if (bytes.byteLength !== sizeOf(geometry)) {
    const sizes = `it has ${bytes.byteLength} bytes, the flash of a token ${sizeOf(geometry)}`;
    throw new FlashFileError("wrong-size", `${path} is not the flash image of a token: ${sizes}`);
  }
  return { fd: openSync(path, "r+"), bytes };
}

/** A crash leaves no short image. */
function makeErased(path: string, geometry: FlashGeometry): void {
  replaceFile(path, new Uint8Array(sizeOf(geometry)).fill(0xff), 0o600);
}

/** Takes `PATH.lock`; a lock whose process is gone is taken over. Returns what gives it back. */
function lock(path: string): () => void {
  const lockPath = `${path}.lock`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const held = hold(lockPath);
  if ("release" in held) return held.release;
  const who = held.heldBy === undefined ? "another process" : `process ${held.heldBy}`;
  throw new FlashFileError("in-use", `${path} is in use by ${who}`);
}

/** Errors of the file system become FlashFileError. */
function reaching<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof FlashFileError || !(error instanceof Error) || !("code" in error)) throw error;
    throw new FlashFileError("unreachable", `${path} cannot be used as flash: ${error.message}`, { cause: error });
  }
}
