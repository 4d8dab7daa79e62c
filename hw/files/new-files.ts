import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { syncFolder } from "./folder.ts";
import { FileError } from "./text.ts";

interface NewFile {
  readonly name: string;
  readonly text: string | Uint8Array;
  /** Only its owner may read it. */
  readonly secret: boolean;
}

const SECRET = 0o600;
const PUBLIC = 0o644;
const PRIVATE_FOLDER = 0o700;

/** Opens what nobody else has; `opened` hears of it before anything can fail that leaves half a file. */
function writeOne(path: string, { text, secret }: NewFile, opened: (path: string) => void): void {
  const fd = openSync(path, "wx", secret ? SECRET : PUBLIC);
  opened(path);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** True when it was made now. Not recursive: below /proc Node would try for ever. */
function makeMissing(folder: string): boolean {
  if (existsSync(folder)) return false;
  mkdirSync(folder, { mode: PRIVATE_FOLDER });
  return true;
}

function removeEmpty(folder: string): void {
  if (readdirSync(folder).length === 0) rmdirSync(folder); // another program may have put something there
}

/**
 * Writes files into `folder`, which is made (for its owner only) when only it is missing: all of them or none. FileError when one of them is there
 * already, or when they cannot be written.
 */
export function writeNewFiles(folder: string, files: readonly NewFile[]): void {
  const taken = files.map(({ name }) => join(folder, name)).find((path) => existsSync(path));
  if (taken !== undefined) throw new FileError(`${taken} is there already and is not overwritten`);
  const written: string[] = [];
  let made = false;
  try {
    made = makeMissing(folder);
    for (const file of files) writeOne(join(folder, file.name), file, (path) => written.push(path));
    syncFolder(folder);
    if (made) syncFolder(dirname(folder));
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    if (made) removeEmpty(folder);
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${folder} cannot be filled: ${why}`, { cause: error });
  }
}
