import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** PATH_MAX of Linux without the NUL. */
const LONGEST_PATH = 4095;
const LONGEST_NAME = 255;

/**
 * Makes a folder so deep below `base` that its files can have names of `longest` characters. Files with shorter names are read there as
 * anywhere, and cannot be replaced: the name beside them is too long. It keeps root out, too.
 */
export function deepFolder(base: string, longest: number): string {
  const length = LONGEST_PATH - longest - "/".length;
  let path = base;
  while (path.length < length) {
    const left = length - path.length - "/".length;
    // never one character that would leave room for a slash only
    const size = left > LONGEST_NAME ? Math.min(LONGEST_NAME, left - 2) : left;
    path = join(path, "d".repeat(size));
  }
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(path);
  return path;
}
