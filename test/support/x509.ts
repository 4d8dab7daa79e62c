import assert from "node:assert/strict";
import {
  type Ed25519PrivateKey,
  ed25519FromSeed,
  generateEcKey,
  generateRsaKey,
  type PrivateKey,
} from "../../shared/crypto/index.ts";
import {
  AuthorityKeyIdentifierDer,
  BasicConstraintsDer,
  buildCertificate,
  type Certificate,
  type CertificateSpec,
  ExtendedKeyUsageDer,
  type Extension,
  extension,
  type KeyUsage,
  KeyUsageDer,
  keyIdentifier,
  type Name,
  nameOf,
  Oid,
  parseCertificate,
  SubjectKeyIdentifierDer,
} from "../../shared/x509/index.ts";
import { seededRandom } from "./random.ts";

/** Certificates for tests: right ones, of which a test makes one thing wrong. */

export const random = seededRandom(1, "test/x509");
export const BEGIN = Date.UTC(2026, 0, 1);
export const END = Date.UTC(2030, 0, 1);

export const named = (commonName: string): Name => nameOf([[Oid.commonName, commonName]]);
export const ed25519 = (label: string): Ed25519PrivateKey => ed25519FromSeed(seededRandom(2, label).bytes(32));
export const p256 = (label: string) => generateEcKey(seededRandom(2, label), "P-256");

const rsaKeys = new Map<string, PrivateKey>();
/** RSA keys are dear: one for each label and size. */
export function rsa(label: string, bits = 2048): PrivateKey {
  const id = `${label}:${bits}`;
  const key = rsaKeys.get(id) ?? generateRsaKey(seededRandom(2, id), bits);
  rsaKeys.set(id, key);
  return key;
}

export const skid = (key: PrivateKey): Extension =>
  extension(Oid.subjectKeyIdentifier, false, SubjectKeyIdentifierDer, keyIdentifier(key));
export const akid = (id: Uint8Array): Extension =>
  extension(Oid.authorityKeyIdentifier, false, AuthorityKeyIdentifierDer, {
    keyIdentifier: id,
    issuer: undefined,
    serial: undefined,
  });
export const usage = (...usages: readonly KeyUsage[]): Extension => extension(Oid.keyUsage, true, KeyUsageDer, usages);
export const ekUsage: Extension = extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.ekCertificateUsage]);
export const constraints = (ca: boolean, pathLength?: number): Extension =>
  extension(Oid.basicConstraints, true, BasicConstraintsDer, { ca, pathLength });

export interface Party {
  readonly certificate: Certificate;
  readonly key: PrivateKey;
}

export interface Wish {
  readonly name: string;
  readonly key: PrivateKey;
  /** Undefined: signs itself. */
  readonly issuer?: Party | undefined;
  /** Replaces extensions of the same identifier, adds others. */
  readonly extensions?: readonly Extension[];
  /** Identifiers of extensions that are left out. */
  readonly without?: readonly string[];
  readonly spec?: Partial<CertificateSpec>;
}

function derOf(
  usual: readonly Extension[],
  { name, key, issuer, extensions = [], without = [], spec }: Wish,
): Uint8Array {
  const issuerKey = issuer?.key ?? key;
  const all = new Map([...usual, ...extensions].map((one) => [one.oid, one]));
  for (const oid of without) all.delete(oid);
  return buildCertificate(
    {
      issuer: issuer?.certificate.subject ?? named(name),
      subject: named(name),
      notBefore: BEGIN,
      notAfter: END,
      publicKey: key,
      extensions: [...all.values()],
      ...spec,
    },
    issuerKey,
    random,
  );
}

function party(usual: readonly Extension[], wish: Wish): Party {
  return { certificate: parseCertificate(derOf(usual, wish)), key: wish.key };
}

const identifiers = ({ key, issuer }: Wish) => [skid(key), akid(keyIdentifier(issuer?.key ?? key))];

export function ca(wish: Wish): Party {
  return party([...identifiers(wish), constraints(true), usage("keyCertSign", "cRLSign")], wish);
}

function ekExtensions(wish: Wish): readonly Extension[] {
  const of = wish.key.type === "rsa" ? "keyEncipherment" : "keyAgreement";
  return [...identifiers(wish), constraints(false), usage(of), ekUsage];
}

export function ek(wish: Wish): Party {
  return party(ekExtensions(wish), wish);
}

/** The same with whatever key the certificate is to name: a parser may refuse it. */
export function ekDer(wish: Wish): Uint8Array {
  return derOf(ekExtensions(wish), wish);
}

export function tokenCertificate(wish: Wish): Party {
  return party([...identifiers(wish), constraints(false), usage("digitalSignature")], wish);
}

/** A copy with one bit turned. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = bit >> 3;
  assert.ok(at < copy.byteLength);
  copy[at] = (copy[at] ?? 0) ^ (0x80 >> (bit & 7));
  return copy;
}
