import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileError, readFileBytes } from "../../hw/files/index.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import { type Certificate, readCertificates } from "../../shared/x509/index.ts";

const MAX_FILE_BYTES = 1 << 20;
const CERTIFICATE_FILE = /\.(pem|crt|cer|der)$/i;

interface RootsRead {
  readonly roots: readonly Certificate[];
  /** A sentence for each file of a folder that cannot be used. */
  readonly skipped: readonly string[];
}

/**
 * Certificates of a PEM or DER file, or of every such file in a folder. Throws FileError with a sentence when the file, or
 * every file of the folder, cannot be used: whoever names a file wants this one, a folder may hold more than is known here.
 */
export function readRoots(path: string): RootsRead {
  if (!isFolder(path)) return { roots: readOne(path), skipped: [] };
  const roots: Certificate[] = [];
  const skipped: string[] = [];
  for (const name of readdirSync(path).sort()) {
    if (!CERTIFICATE_FILE.test(name)) continue;
    try {
      roots.push(...readOne(join(path, name)));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      skipped.push(error.message);
    }
  }
  if (roots.length > 0) return { roots, skipped };
  throw new FileError([`${path}: no certificate in it`, ...skipped].join("; "));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function readOne(file: string): readonly Certificate[] {
  const roots = parse(file);
  const large = roots.find(({ der }) => der.byteLength > Limit.CERTIFICATE_BYTES);
  if (large === undefined) return roots;
  const sizes = `${large.der.byteLength} bytes where a token takes ${Limit.CERTIFICATE_BYTES} at most`;
  throw new FileError(`${file}: a certificate of ${sizes}`);
}

function parse(file: string): readonly Certificate[] {
  try {
    return readCertificates(readFileBytes(file, MAX_FILE_BYTES));
  } catch (error) {
    if (error instanceof CodecError) {
      throw new FileError(`${file}: no certificate that can be used: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** The one root of an owner: a file with several certificates is an owner's chain, its root first. */
export function readOwnerRoot(path: string): Certificate {
  const { roots, skipped } = readRoots(path);
  const [problem] = skipped; // no other root takes the place of the owner's
  if (problem !== undefined) throw new FileError(problem);
  const [root] = roots;
  if (root === undefined) throw new FileError(`${path}: no certificate in it`);
  return root;
}
