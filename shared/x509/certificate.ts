/** Certificates: RFC 5280, section 4.1. */
import { type Codec, CodecError, decode, encode, equal, rest, struct } from "../bytes/index.ts";
import { type PrivateKey, type PublicKey, type SignatureScheme, signMessage, verifyMessage } from "../crypto/index.ts";
import type { Random } from "../ports/index.ts";
import { AlgorithmIdentifierDer, fits, identifierOf, schemeOf, usualScheme } from "./algorithm.ts";
import {
  constructedContextTag,
  contextTag,
  explicit,
  optional,
  sequence,
  tlv,
  withDefault,
  withOctets,
} from "./der.ts";
import { bitString, integer, smallUnsigned, time, unsigned } from "./der-types.ts";
import { type Extensions, ExtensionsDer, extensionsOf, noExtensions } from "./extension-list.ts";
import type { Extension } from "./extensions.ts";
import { type Name, NameDer, sameName } from "./name.ts";
import { mayMake, type SubjectPublicKeyInfo, SubjectPublicKeyInfoDer } from "./public-key.ts";

/** 20 octets and, after issuers that did not mind the sign, one more (RFC 5280, section 4.1.2.2). */
const MAX_SERIAL_BYTES = 21;
const VERSION_3 = 2;
const SERIAL_BYTES = 20;

export interface Certificate {
  /** The whole certificate as it was received. */
  readonly der: Uint8Array;
  /** The octets that the issuer signed. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Contents of the INTEGER, big-endian. */
  readonly serial: Uint8Array;
  readonly issuer: Name;
  /** May be empty: then the subject stands in a critical subjectAltName. */
  readonly subject: Name;
  /** Milliseconds since 1970; undefined: 99991231235959Z, no well-defined end. */
  readonly notBefore: number | undefined;
  readonly notAfter: number | undefined;
  readonly publicKey: PublicKey;
  /** How the key is listed, and the octets of its BIT STRING. */
  readonly publicKeyInfo: SubjectPublicKeyInfo;
  /** Undefined: an algorithm that we do not accept. */
  readonly signatureScheme: SignatureScheme | undefined;
  readonly signature: Uint8Array;
  readonly extensions: Extensions;
}

const uniqueIdentifier = (n: number) => optional(contextTag(n), tlv(contextTag(n), rest));

const Validity = sequence(struct("validity", { notBefore: time, notAfter: time }));

const TbsCertificate = sequence(
  struct("tbsCertificate", {
    version: withDefault(constructedContextTag(0), explicit(0, smallUnsigned(VERSION_3)), 0),
    serialNumber: integer,
    signature: AlgorithmIdentifierDer,
    issuer: NameDer,
    validity: Validity,
    subject: NameDer,
    subjectPublicKeyInfo: SubjectPublicKeyInfoDer,
    issuerUniqueID: uniqueIdentifier(1),
    subjectUniqueID: uniqueIdentifier(2),
    extensions: optional(constructedContextTag(3), explicit(3, ExtensionsDer)),
  }),
);

/** The frame that certificates and certification requests share: what is signed, how, and the signature. */
export function signed<T>(name: string, inner: Codec<T>) {
  return sequence(
    struct(name, { content: withOctets(inner), signatureAlgorithm: AlgorithmIdentifierDer, signatureValue: bitString }),
  );
}

const CertificateDer = signed("Certificate", TbsCertificate);

function check(name: string, condition: boolean, problem: string): void {
  if (!condition) throw new CodecError(problem, `Certificate.${name}`, 0);
}

/** One certificate in strict DER and nothing behind it; CodecError names the field otherwise. Keeps a copy of `der`. */
export function parseCertificate(der: Uint8Array): Certificate {
  const own = der.slice();
  const { content, signatureAlgorithm, signatureValue } = decode(CertificateDer, own);
  const tbs = content.value;
  check("version", tbs.version === VERSION_3 || tbs.extensions === undefined, "extensions before version 3");
  check("serialNumber", tbs.serialNumber.byteLength <= MAX_SERIAL_BYTES, `more than ${MAX_SERIAL_BYTES} octets`);
  check("issuer", tbs.issuer.length > 0, "an empty name");
  // Section 4.1.1.2: the signed algorithm and the one outside are the same, or an attacker could choose the outer one.
  const [inner, outer] = [tbs.signature, signatureAlgorithm].map((id) => encode(AlgorithmIdentifierDer, id));
  check(
    "signatureAlgorithm",
    inner !== undefined && outer !== undefined && equal(inner, outer),
    "not the signed algorithm",
  );
  return {
    der: own,
    tbs: content.octets,
    version: tbs.version === 0 ? 1 : tbs.version === 1 ? 2 : 3,
    serial: tbs.serialNumber,
    issuer: tbs.issuer,
    subject: tbs.subject,
    notBefore: tbs.validity.notBefore,
    notAfter: tbs.validity.notAfter,
    publicKey: tbs.subjectPublicKeyInfo.key,
    publicKeyInfo: tbs.subjectPublicKeyInfo,
    signatureScheme: schemeOf(signatureAlgorithm),
    signature: signatureValue,
    extensions: tbs.extensions ?? noExtensions,
  };
}

/** Was `certificate` signed with the private half of `issuer`? Keys whose type, listing or parameters cannot have made it are no. */
export function isSignedBy(certificate: Certificate, issuer: SubjectPublicKeyInfo): boolean {
  const scheme = certificate.signatureScheme;
  if (scheme === undefined || !mayMake(issuer, scheme)) return false;
  return verifyMessage(issuer.key, scheme, certificate.tbs, certificate.signature);
}

export function isSelfIssued(certificate: Certificate): boolean {
  return sameName(certificate.subject, certificate.issuer);
}

export interface CertificateSpec {
  /** Unsigned big-endian; without it 20 random bytes. */
  readonly serial?: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  /** Milliseconds since 1970; fractions of a second are cut. */
  readonly notBefore: number;
  /** Undefined: 99991231235959Z. */
  readonly notAfter: number | undefined;
  readonly publicKey: PublicKey;
  /** In this order; none: no extensions field. */
  readonly extensions: readonly Extension[];
  /** Without it PKCS#1 v1.5 with SHA-256, ECDSA with the curve's hash, or Ed25519. */
  readonly signatureScheme?: SignatureScheme;
}

/** A positive INTEGER of exactly 20 octets (RFC 5280, section 4.1.2.2). */
function randomSerial(random: Random): Uint8Array {
  const serial = random.bytes(SERIAL_BYTES).slice();
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** The contents of an INTEGER that is not negative. */
function positive(serial: Uint8Array): Uint8Array {
  return decode(integer, encode(unsigned, serial));
}

/** A version 3 certificate, signed. RangeError when the key cannot make the wanted signature. */
export function buildCertificate(spec: CertificateSpec, issuerKey: PrivateKey, random: Random): Uint8Array {
  const scheme = spec.signatureScheme ?? usualScheme(issuerKey);
  if (!fits(issuerKey, scheme)) throw new RangeError(`a key of type ${issuerKey.type} makes no ${scheme}`);
  const signatureAlgorithm = identifierOf(scheme);
  const value = {
    version: VERSION_3,
    serialNumber: positive(spec.serial ?? randomSerial(random)),
    signature: signatureAlgorithm,
    issuer: spec.issuer,
    validity: { notBefore: spec.notBefore, notAfter: spec.notAfter },
    subject: spec.subject,
    subjectPublicKeyInfo: { algorithm: "", key: spec.publicKey, bits: new Uint8Array() },
    issuerUniqueID: undefined,
    subjectUniqueID: undefined,
    extensions: spec.extensions.length === 0 ? undefined : extensionsOf(spec.extensions),
  };
  const octets = encode(TbsCertificate, value);
  const signatureValue = signMessage(issuerKey, scheme, octets, random);
  return encode(CertificateDer, { content: { octets, value }, signatureAlgorithm, signatureValue });
}
