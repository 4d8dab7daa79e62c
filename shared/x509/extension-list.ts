/** The extensions of one certificate: decoded where we know them, listed where we do not. */
import { type Codec, CodecError, decode, encode, inField } from "../bytes/index.ts";
import { sequenceOf } from "./der.ts";
import {
  AuthorityInfoAccessDer,
  type AuthorityKeyIdentifier,
  AuthorityKeyIdentifierDer,
  type BasicConstraints,
  BasicConstraintsDer,
  CertificatePoliciesDer,
  ExtendedKeyUsageDer,
  type Extension,
  ExtensionDer,
  type KeyUsage,
  KeyUsageDer,
  type NameConstraints,
  NameConstraintsDer,
  SubjectAltNameDer,
  SubjectKeyIdentifierDer,
} from "./extensions.ts";
import type { GeneralName } from "./general-name.ts";
import { Oid } from "./oid.ts";

const MAX_EXTENSIONS = 32;

/** Absent extensions are undefined. */
export interface Extensions {
  /** All of them, in the order of the certificate. */
  readonly list: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: readonly KeyUsage[] | undefined;
  readonly subjectKeyIdentifier: Uint8Array | undefined;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifier | undefined;
  /** Object identifiers of key purposes. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltName: readonly GeneralName[] | undefined;
  /** Object identifiers. */
  readonly certificatePolicies: readonly string[] | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** The addresses of caIssuers in authorityInfoAccess; may be empty. */
  readonly caIssuers: readonly string[];
  /** Critical extensions that we do not process: whoever relies on the certificate refuses it (RFC 5280, section 4.2). */
  readonly unknownCritical: readonly string[];
}

const KNOWN: ReadonlySet<string> = new Set([
  Oid.basicConstraints,
  Oid.keyUsage,
  Oid.subjectKeyIdentifier,
  Oid.authorityKeyIdentifier,
  Oid.extendedKeyUsage,
  Oid.subjectAltName,
  Oid.certificatePolicies,
  Oid.nameConstraints,
]);

/** RFC 5280, section 4.2: no extension twice. */
function refuseDuplicates(list: readonly Extension[]): void {
  const seen = new Set<string>();
  for (const { oid } of list) {
    if (seen.has(oid)) throw new CodecError(`extension ${oid} stands twice`, "", 0);
    seen.add(oid);
  }
}

function decodeAll(list: readonly Extension[]): Extensions {
  refuseDuplicates(list);
  const value = <T>(name: keyof typeof Oid, codec: Codec<T>): T | undefined => {
    const found = list.find(({ oid }) => oid === Oid[name]);
    return found === undefined ? undefined : decode(codec, found.value, name);
  };
  const access = value("authorityInfoAccess", AuthorityInfoAccessDer) ?? [];
  return {
    list,
    basicConstraints: value("basicConstraints", BasicConstraintsDer),
    keyUsage: value("keyUsage", KeyUsageDer),
    subjectKeyIdentifier: value("subjectKeyIdentifier", SubjectKeyIdentifierDer),
    authorityKeyIdentifier: value("authorityKeyIdentifier", AuthorityKeyIdentifierDer),
    extendedKeyUsage: value("extendedKeyUsage", ExtendedKeyUsageDer),
    subjectAltName: value("subjectAltName", SubjectAltNameDer),
    certificatePolicies: value("certificatePolicies", CertificatePoliciesDer),
    nameConstraints: value("nameConstraints", NameConstraintsDer),
    caIssuers: access.flatMap(({ method, location }) =>
      method === Oid.caIssuers && location.kind === "uri" ? [location.text] : [],
    ),
    unknownCritical: list.filter(({ oid, critical }) => critical && !KNOWN.has(oid)).map(({ oid }) => oid),
  };
}

export const noExtensions: Extensions = decodeAll([]);

const ExtensionSequence = sequenceOf(ExtensionDer, 1, MAX_EXTENSIONS);

/** SEQUENCE SIZE (1..MAX) OF Extension. Only `list` is written. */
export const ExtensionsDer: Codec<Extensions> = {
  read: (r) => inField("extensions", () => decodeAll(ExtensionSequence.read(r))),
  write: (w, { list }) => ExtensionSequence.write(w, list),
};

/** Extensions for a certificate to be built, from their values. */
export function extension<T>(oid: string, critical: boolean, codec: Codec<T>, value: T): Extension {
  return { oid, critical, value: encode(codec, value) };
}

export function extensionsOf(list: readonly Extension[]): Extensions {
  return decodeAll(list);
}
