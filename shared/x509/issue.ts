/** Building blocks of an issuer: roots, intermediates, token certificates, EK certificates. Pure: keys, dates and randomness come from the caller. */
import type { PrivateKey, PublicKey, SignatureScheme } from "../crypto/index.ts";
import type { Random } from "../ports/index.ts";
import { buildCertificate, type Certificate, parseCertificate } from "./certificate.ts";
import { extension } from "./extension-list.ts";
import {
  AuthorityInfoAccessDer,
  AuthorityKeyIdentifierDer,
  BasicConstraintsDer,
  ExtendedKeyUsageDer,
  type Extension,
  type KeyUsage,
  KeyUsageDer,
  SubjectAltNameDer,
  SubjectKeyIdentifierDer,
} from "./extensions.ts";
import { type Name, nameOf } from "./name.ts";
import { Oid } from "./oid.ts";
import { keyIdentifier } from "./public-key.ts";

export interface Issuer {
  readonly certificate: Certificate;
  readonly key: PrivateKey;
}

export interface Period {
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Undefined: 99991231235959Z. */
  readonly notAfter: number | undefined;
}

interface CaSpec extends Period {
  readonly subject: Name;
  /** How many CAs may follow; undefined: any number. */
  readonly pathLength: number | undefined;
  readonly signatureScheme?: SignatureScheme;
}

function keyUsage(...usages: readonly KeyUsage[]): Extension {
  return extension(Oid.keyUsage, true, KeyUsageDer, usages);
}

function subjectKey(key: PublicKey): Extension {
  return extension(Oid.subjectKeyIdentifier, false, SubjectKeyIdentifierDer, keyIdentifier(key));
}

/** The issuer's own identifier, as its certificate says it (RFC 5280, section 4.2.1.1). */
function authorityKey(issuer: Uint8Array): Extension {
  const value = { keyIdentifier: issuer, issuer: undefined, serial: undefined };
  return extension(Oid.authorityKeyIdentifier, false, AuthorityKeyIdentifierDer, value);
}

function identifierOfIssuer({ certificate }: Issuer): Uint8Array {
  return certificate.extensions.subjectKeyIdentifier ?? keyIdentifier(certificate.publicKey);
}

function basicConstraints(ca: boolean, pathLength?: number): Extension {
  return extension(Oid.basicConstraints, true, BasicConstraintsDer, { ca, pathLength });
}

function optionalScheme(scheme: SignatureScheme | undefined) {
  return scheme === undefined ? {} : { signatureScheme: scheme };
}

export interface RootSpec extends CaSpec {
  readonly key: PrivateKey;
}

/** A self-signed CA with its key. */
export function buildRoot(spec: RootSpec, random: Random): Issuer {
  const own = keyIdentifier(spec.key);
  const der = buildCertificate(
    {
      issuer: spec.subject,
      subject: spec.subject,
      notBefore: spec.notBefore,
      notAfter: spec.notAfter,
      publicKey: spec.key,
      extensions: [
        subjectKey(spec.key),
        authorityKey(own),
        basicConstraints(true, spec.pathLength),
        keyUsage("keyCertSign", "cRLSign"),
      ],
      ...optionalScheme(spec.signatureScheme),
    },
    spec.key,
    random,
  );
  return { certificate: parseCertificate(der), key: spec.key };
}

export interface IntermediateSpec extends CaSpec {
  readonly publicKey: PublicKey;
}

/** A CA below `issuer`. */
export function buildIntermediate(spec: IntermediateSpec, issuer: Issuer, random: Random): Certificate {
  const der = buildCertificate(
    {
      issuer: issuer.certificate.subject,
      subject: spec.subject,
      notBefore: spec.notBefore,
      notAfter: spec.notAfter,
      publicKey: spec.publicKey,
      extensions: [
        subjectKey(spec.publicKey),
        authorityKey(identifierOfIssuer(issuer)),
        basicConstraints(true, spec.pathLength),
        keyUsage("keyCertSign", "cRLSign"),
      ],
      ...optionalScheme(spec.signatureScheme),
    },
    issuer.key,
    random,
  );
  return parseCertificate(der);
}

export interface TokenCertificateSpec extends Period {
  readonly subject: Name;
  readonly publicKey: PublicKey;
  readonly signatureScheme?: SignatureScheme;
}

/** What an owner gives a token: CA:FALSE and digitalSignature, both critical, key identifiers. */
export function buildTokenCertificate(spec: TokenCertificateSpec, issuer: Issuer, random: Random): Certificate {
  const der = buildCertificate(
    {
      issuer: issuer.certificate.subject,
      subject: spec.subject,
      notBefore: spec.notBefore,
      notAfter: spec.notAfter,
      publicKey: spec.publicKey,
      extensions: [
        basicConstraints(false),
        keyUsage("digitalSignature"),
        subjectKey(spec.publicKey),
        authorityKey(identifierOfIssuer(issuer)),
      ],
      ...optionalScheme(spec.signatureScheme),
    },
    issuer.key,
    random,
  );
  return parseCertificate(der);
}

export interface EkCertificateSpec {
  readonly publicKey: PublicKey;
  readonly notBefore: number;
  /** `id:` and the TPM_PT_MANUFACTURER in hex, for example `id:46424E4C` (TCG EK Credential Profile, section 3.1.2). */
  readonly manufacturer: string;
  readonly model: string;
  /** `id:` and the firmware version in hex, for example `id:00010002`. */
  readonly version: string;
  /** Where the issuer's certificate can be had (authorityInfoAccess, caIssuers). */
  readonly caIssuers?: readonly string[];
  /** Empty unless said. */
  readonly subject?: Name;
}

/** An EK certificate by the TCG EK Credential Profile, section 3.2: the TPM stands in a critical subjectAltName, and it never ends. */
export function buildEkCertificate(spec: EkCertificateSpec, issuer: Issuer, random: Random): Certificate {
  const tpm = nameOf([
    [Oid.tpmManufacturer, spec.manufacturer],
    [Oid.tpmModel, spec.model],
    [Oid.tpmVersion, spec.version],
  ]);
  const access = (spec.caIssuers ?? []).map((text) => ({
    method: Oid.caIssuers,
    location: { kind: "uri" as const, text },
  }));
  const der = buildCertificate(
    {
      issuer: issuer.certificate.subject,
      subject: spec.subject ?? [],
      notBefore: spec.notBefore,
      notAfter: undefined,
      publicKey: spec.publicKey,
      extensions: [
        authorityKey(identifierOfIssuer(issuer)),
        extension(Oid.subjectAltName, true, SubjectAltNameDer, [{ kind: "directory", name: tpm }]),
        basicConstraints(false),
        keyUsage(spec.publicKey.type === "rsa" ? "keyEncipherment" : "keyAgreement"),
        extension(Oid.extendedKeyUsage, false, ExtendedKeyUsageDer, [Oid.ekCertificateUsage]),
        ...(access.length === 0 ? [] : [extension(Oid.authorityInfoAccess, false, AuthorityInfoAccessDer, access)]),
      ],
    },
    issuer.key,
    random,
  );
  return parseCertificate(der);
}
