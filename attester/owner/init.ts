import {
  ed25519FromSeed,
  generateEcKey,
  generateRsaKey,
  type PrivateKey,
  privateKeyToPkcs8,
} from "../../shared/crypto/index.ts";
import type { Calendar, Random } from "../../shared/ports/index.ts";
import {
  buildIntermediate,
  buildRoot,
  type Certificate,
  type Issuer,
  type Name,
  nameOf,
  Oid,
  toPem,
} from "../../shared/x509/index.ts";

/** RSA-2048 is what the published recipe makes and the reference firmware reads; ecc is P-256. */
export const ownerKeyKinds = ["rsa", "ecc", "ed25519"] as const;
export type OwnerKeyKind = (typeof ownerKeyKinds)[number];

const RSA_BITS = 2048;
const SEED_BYTES = 32;
const MS_PER_DAY = 86_400_000;
const DAYS = { root: 20 * 365, intermediate: 10 * 365, issuing: 5 * 365 } as const;

export interface InitOptions {
  /** Stands as organizationName in the subjects. */
  readonly name: string;
  readonly key: OwnerKeyKind;
}

/** What initOwner makes, in this order. */
export const ownerFileNames = ["root-key.pem", "intermediate-key.pem", "key.pem", "root.pem", "chain.pem"] as const;
type OwnerFileName = (typeof ownerFileNames)[number];

export interface OwnerFile {
  readonly name: OwnerFileName;
  readonly text: string;
  /** Holds a private key: for its owner's eyes only. */
  readonly secret: boolean;
}

function makeKey(kind: OwnerKeyKind, random: Random): PrivateKey {
  if (kind === "rsa") return generateRsaKey(random, RSA_BITS);
  return kind === "ecc" ? generateEcKey(random, "P-256") : ed25519FromSeed(random.bytes(SEED_BYTES));
}

function keyFile(name: OwnerFileName, key: PrivateKey): OwnerFile {
  return { name, text: toPem("PRIVATE KEY", privateKeyToPkcs8(key)), secret: true };
}

function certificateFile(name: OwnerFileName, certificates: readonly Certificate[]): OwnerFile {
  return { name, text: certificates.map(({ der }) => toPem("CERTIFICATE", der)).join(""), secret: false };
}

/**
 * A new owner: root, intermediate and issuing CA with path lengths counting down. chain.pem (root first, issuing CA last) and
 * key.pem (PKCS#8 of the issuing CA) are what the reference's owner program reads as well; root.pem is for the tokens.
 */
export function initOwner({ name, key }: InitOptions, random: Random, calendar: Calendar): readonly OwnerFile[] {
  const notBefore = calendar.today();
  const until = (days: number) => notBefore + days * MS_PER_DAY;
  const subject = (what: string): Name =>
    nameOf([
      [Oid.organizationName, name],
      [Oid.commonName, `${name} ${what}`],
    ]);
  const keys = { root: makeKey(key, random), intermediate: makeKey(key, random), issuing: makeKey(key, random) };
  const root = buildRoot(
    { subject: subject("Root CA"), key: keys.root, pathLength: 2, notBefore, notAfter: until(DAYS.root) },
    random,
  );
  const below = (issuer: Issuer, what: string, publicKey: PrivateKey, pathLength: number, days: number): Issuer => ({
    certificate: buildIntermediate(
      { subject: subject(what), publicKey, pathLength, notBefore, notAfter: until(days) },
      issuer,
      random,
    ),
    key: publicKey,
  });
  const intermediate = below(root, "Intermediate CA", keys.intermediate, 1, DAYS.intermediate);
  const issuing = below(intermediate, "Issuing CA", keys.issuing, 0, DAYS.issuing);
  const chain = [root, intermediate, issuing].map(({ certificate }) => certificate);
  return [
    keyFile("root-key.pem", keys.root),
    keyFile("intermediate-key.pem", keys.intermediate),
    keyFile("key.pem", keys.issuing),
    certificateFile("root.pem", [root.certificate]),
    certificateFile("chain.pem", chain),
  ];
}
