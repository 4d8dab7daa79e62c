import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

function writeOne(path: string, { text, secret }: NewFile): void {
  const fd = openSync(path, "wx", secret ? SECRET : PUBLIC);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes files into `folder`, which is made (for its owner only) when only it is missing: all of them or none. FileError when one of them is there
 * already, or when they cannot be written.
 */
export function writeNewFiles(folder: string, files: readonly NewFile[]): void {
  const taken = files.map(({ name }) => join(folder, name)).find((path) => existsSync(path));
  if (taken !== undefined) throw new FileError(`${taken} is there already and is not overwritten`);
  const written: string[] = [];
  try {
    // Not recursive: below /proc Node would try for ever.
    if (!existsSync(folder)) mkdirSync(folder, { mode: PRIVATE_FOLDER });
    for (const file of files) {
      const path = join(folder, file.name);
      writeOne(path, file);
      written.push(path);
    }
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(`${folder} cannot be filled: ${why}`, { cause: error });
  }
}
