import { accessSync, constants, lstatSync } from "node:fs";
import { join } from "node:path";
import { toPem } from "../../shared/x509/index.ts";
import { replaceFile } from "../files/atomic.ts";
import { FileError, makeFolder } from "../files/index.ts";
import type { Manufactured } from "./manufacture.ts";

const ROOT = "vendor-root.pem";
const INTERMEDIATE = "vendor-intermediate.pem";
const PUBLIC = 0o644;

/**
 * Makes the folder for the vendor's files, and gives the paths of those that are there: another TPM may depend on them. To be called before a
 * TPM gets certificates: without the root they are worth nothing. Throws FileError, also when a folder stands in a file's place.
 */
export function makeVendorFolder(directory: string): readonly string[] {
  try {
    makeFolder(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new FileError(`${directory} cannot be made: ${why(cause)}`, { cause });
  }
  const stats = [ROOT, INTERMEDIATE].map((name) => {
    const path = join(directory, name);
    return { path, stat: lstatSync(path, { throwIfNoEntry: false }) };
  });
  const folder = stats.find(({ stat }) => stat?.isDirectory() === true);
  if (folder !== undefined) throw new FileError(`${folder.path} is a folder`);
  return stats.filter(({ stat }) => stat !== undefined).map(({ path }) => path);
}

/** Writes the vendor's public files into `directory`, which is made when missing, over those that are there. Returns their paths; throws FileError. */
export function writeVendorFiles(
  directory: string,
  made: Manufactured,
): { readonly root: string; readonly intermediate: string } {
  makeVendorFolder(directory);
  return {
    root: write(join(directory, ROOT), made.root.der),
    intermediate: write(join(directory, INTERMEDIATE), made.intermediate.der),
  };
}

function write(path: string, der: Uint8Array): string {
  try {
    replaceFile(path, toPem("CERTIFICATE", der), PUBLIC);
  } catch (cause) {
    throw new FileError(`${path} cannot be written: ${why(cause)}`, { cause });
  }
  return path;
}

function why(error: unknown): string {
  return String(error instanceof Error && "code" in error ? error.code : error);
}
