import { accessSync, constants, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toPem } from "../../shared/x509/index.ts";
import { FileError, makeFolder } from "../files/index.ts";
import type { Manufactured } from "./manufacture.ts";

/** Makes the folder for the vendor's files. To be called before a TPM gets certificates: without the root they are worth nothing. Throws FileError. */
export function makeVendorFolder(directory: string): void {
  try {
    makeFolder(directory);
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new FileError(`${directory} cannot be made: ${String(code)}`, { cause });
  }
}

/** Writes the vendor's public files into `directory`, which is made when missing. Returns their paths; throws what the file system throws. */
export function writeVendorFiles(
  directory: string,
  made: Manufactured,
): { readonly root: string; readonly intermediate: string } {
  makeFolder(directory);
  const write = (name: string, der: Uint8Array) => {
    const path = join(directory, name);
    writeFileSync(path, toPem("CERTIFICATE", der));
    return path;
  };
  return {
    root: write("vendor-root.pem", made.root.der),
    intermediate: write("vendor-intermediate.pem", made.intermediate.der),
  };
}
