import { join } from "node:path";
import { readMaterial } from "../../attester/owner/index.ts";
import { initOwner } from "../../attester/owner/init.ts";
import { FileError, readFileBytes, readTextFile } from "../../hw/files/index.ts";
import { writeNewFiles } from "../../hw/files/new-files.ts";
import { CodecError, utf8 } from "../../shared/bytes/index.ts";
import { generateEcKey, type PrivateKey, privateKeyFromPkcs8, privateKeyToPkcs8 } from "../../shared/crypto/index.ts";
import type { Random } from "../../shared/ports/index.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { buildRoot, type Issuer, nameOf, Oid, parsePem, readCertificates, toPem } from "../../shared/x509/index.ts";

/** The owner that the suite is. */
export interface OwnerKeys {
  /** Root first, issuing CA last. */
  readonly chain: readonly Certificate[];
  readonly root: Certificate;
  readonly issuing: Issuer;
  /** Absent when the owner's chain is the user's: then there are no bad chains below its root. */
  readonly rootKey?: PrivateKey | undefined;
}

export interface Keys {
  readonly owner: OwnerKeys;
  /** Who vouches for the suite's own TPMs; absent when the user's TPM is tried. */
  readonly vendor?: Issuer | undefined;
}

const TODAY = Date.UTC(2026, 0, 1);
const calendar = { today: () => TODAY };
const MAX_FILE_BYTES = 1 << 20;

type Texts = ReadonlyMap<string, string>;

function ownerFrom(text: (name: string) => string): OwnerKeys {
  const outcome = readMaterial(utf8(text("chain.pem")), utf8(text("key.pem")), TODAY);
  if (!outcome.ok) throw new FileError(outcome.problem);
  const { chain, root, issuing, key } = outcome.material;
  return { chain, root, issuing: { certificate: issuing, key }, rootKey: keyFrom(text("root-key.pem")) };
}

function keyFrom(pem: string): PrivateKey {
  const [der] = parsePem(pem, "PRIVATE KEY");
  const key = der === undefined ? undefined : privateKeyFromPkcs8(der);
  if (key === undefined) throw new FileError("a private key is missing");
  return key;
}

function keysFrom(text: (name: string) => string): Keys {
  const [certificate] = readCertificates(utf8(text("vendor.pem")));
  if (certificate === undefined) throw new FileError("vendor.pem holds no certificate");
  return { owner: ownerFrom(text), vendor: { certificate, key: keyFrom(text("vendor-key.pem")) } };
}

/** Files of a new owner and of a vendor of software TPMs. */
function newFiles(random: Random) {
  const vendor = buildRoot(
    {
      subject: nameOf([
        [Oid.organizationName, "Fobnail conformance"],
        [Oid.commonName, "TPM vendor root"],
      ]),
      key: generateEcKey(random, "P-256"),
      pathLength: 1,
      notBefore: TODAY,
      notAfter: undefined,
    },
    random,
  );
  return [
    ...initOwner({ name: "Fobnail conformance", key: "ecc" }, random, calendar),
    { name: "vendor.pem", text: toPem("CERTIFICATE", vendor.certificate.der), secret: false },
    { name: "vendor-key.pem", text: toPem("PRIVATE KEY", privateKeyToPkcs8(vendor.key)), secret: true },
  ];
}

export function makeKeys(random: Random): Keys {
  const texts: Texts = new Map(newFiles(random).map(({ name, text }) => [name, text]));
  return keysFrom((name) => texts.get(name) ?? "");
}

/** Writes keys and roots of the suite into a new folder; FileError. */
export function writeKeys(folder: string, random: Random): void {
  writeNewFiles(folder, newFiles(random));
}

/** What writeKeys wrote; FileError with a sentence. */
export function readKeys(folder: string): Keys {
  try {
    return keysFrom((name) => readTextFile(join(folder, name), MAX_FILE_BYTES));
  } catch (error) {
    if (error instanceof CodecError) throw new FileError(`${folder}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** An owner of the user's; FileError with a sentence. */
export function readOwner(chainFile: string, keyFile: string): OwnerKeys {
  const [chain, key] = [chainFile, keyFile].map((file) => readFileBytes(file, MAX_FILE_BYTES));
  const outcome = readMaterial(chain ?? new Uint8Array(), key ?? new Uint8Array(), TODAY);
  if (!outcome.ok) throw new FileError(`${chainFile}, ${keyFile}: ${outcome.problem}`);
  const { root, issuing } = outcome.material;
  return { chain: outcome.material.chain, root, issuing: { certificate: issuing, key: outcome.material.key } };
}
