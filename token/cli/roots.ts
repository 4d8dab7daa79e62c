import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { FileError, readFileBytes } from "../../hw/files/index.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { Limit } from "../../shared/protocol/index.ts";
import { type Certificate, readCertificates } from "../../shared/x509/index.ts";

const MAX_FILE_BYTES = 1 << 20;
const CERTIFICATE_FILE = /\.(pem|crt|cer|der)$/i;

/** Certificates of a PEM or DER file, or of every such file in a folder. Throws FileError with a sentence. */
export function readRoots(path: string): readonly Certificate[] {
  const files = isFolder(path)
    ? readdirSync(path)
        .filter((name) => CERTIFICATE_FILE.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const roots = files.flatMap((file) => readOne(file));
  if (roots.length === 0) throw new FileError(`${path}: no certificate in it`);
  const large = roots.find(({ der }) => der.byteLength > Limit.CERTIFICATE_BYTES);
  if (large !== undefined) {
    const sizes = `${large.der.byteLength} bytes where a token takes ${Limit.CERTIFICATE_BYTES} at most`;
    throw new FileError(`${path}: a certificate of ${sizes}`);
  }
  return roots;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function readOne(file: string): readonly Certificate[] {
  try {
    return readCertificates(readFileBytes(file, MAX_FILE_BYTES));
  } catch (error) {
    if (error instanceof CodecError)
      throw new FileError(`${file}: not a certificate: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The one root of an owner: a file with several certificates is an owner's chain, its root first. */
export function readOwnerRoot(path: string): Certificate {
  const [root] = readRoots(path);
  if (root === undefined) throw new FileError(`${path}: no certificate in it`);
  return root;
}
