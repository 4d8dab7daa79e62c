import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toPem } from "../../shared/x509/index.ts";
import type { Manufactured } from "./manufacture.ts";

/** Writes the vendor's public files into `directory`, which is made when missing. Returns their paths; throws what the file system throws. */
export function writeVendorFiles(
  directory: string,
  made: Manufactured,
): { readonly root: string; readonly intermediate: string } {
  mkdirSync(directory, { recursive: true });
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
