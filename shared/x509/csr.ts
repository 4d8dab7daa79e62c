/** Certification requests (PKCS#10, RFC 2986) as a Fobnail Token makes them: an Ed25519 key, two names, no attributes. */
import { type Codec, decode, encode, struct } from "../bytes/index.ts";
import { type PrivateKey, type PublicKey, type SignatureScheme, signMessage, verifyMessage } from "../crypto/index.ts";
import type { Random } from "../ports/index.ts";
import { identifierOf, schemeOf, usualScheme } from "./algorithm.ts";
import { signed } from "./certificate.ts";
import { constructedContextTag, element, many, optional, sequence, Tag, tlv } from "./der.ts";
import { smallUnsigned } from "./der-types.ts";
import { type Attribute, type Name, NameDer, nameOf } from "./name.ts";
import { Oid } from "./oid.ts";
import { mayMake, type SubjectPublicKeyInfo, SubjectPublicKeyInfoDer } from "./public-key.ts";

const ORGANIZATION = "Fobnail";
/** Upper-case hexadecimal without padding. */
const DEVICE_ID = /^(?:0|[1-9A-F][0-9A-F]{0,31})$/;
const ATTRIBUTES = 0;
const MAX_ATTRIBUTES = 16;

export interface Csr {
  readonly der: Uint8Array;
  /** The octets that the requester signed. */
  readonly info: Uint8Array;
  readonly subject: Name;
  readonly publicKey: PublicKey;
  readonly publicKeyInfo: SubjectPublicKeyInfo;
  /** How many attributes there are; a token sends none. */
  readonly attributeCount: number;
  readonly signatureScheme: SignatureScheme | undefined;
  readonly signature: Uint8Array;
}

const attributesTag = constructedContextTag(ATTRIBUTES);

/** The empty set is written; its absence is read too, because encoders exist that take it for optional. */
const attributes: Codec<readonly Uint8Array[] | undefined> = optional(
  attributesTag,
  tlv(attributesTag, many(element, 0, MAX_ATTRIBUTES)),
);

const CertificationRequestInfo = sequence(
  struct("certificationRequestInfo", {
    version: smallUnsigned(0),
    subject: NameDer,
    subjectPKInfo: SubjectPublicKeyInfoDer,
    attributes,
  }),
);

const CertificationRequest = signed("CertificationRequest", CertificationRequestInfo);

/** Strict DER, version 0, nothing behind it; CodecError names the field otherwise. The signature is not looked at: see verifyCsr. */
export function parseCsr(der: Uint8Array): Csr {
  const own = der.slice();
  const { content, signatureAlgorithm, signatureValue } = decode(CertificationRequest, own);
  const info = content.value;
  return {
    der: own,
    info: content.octets,
    subject: info.subject,
    publicKey: info.subjectPKInfo.key,
    publicKeyInfo: info.subjectPKInfo,
    attributeCount: info.attributes?.length ?? 0,
    signatureScheme: schemeOf(signatureAlgorithm),
    signature: signatureValue,
  };
}

/** Does the requester hold the private half of the key it names? */
export function verifyCsr(csr: Csr): boolean {
  const scheme = csr.signatureScheme;
  if (scheme === undefined || !mayMake(csr.publicKeyInfo, scheme)) return false;
  return verifyMessage(csr.publicKey, scheme, csr.info, csr.signature);
}

/** The subject of a token: O=Fobnail as UTF8String, serialNumber as PrintableString. RangeError when `deviceId` is no such id. */
export function tokenSubject(deviceId: string): Name {
  if (!DEVICE_ID.test(deviceId)) throw new RangeError(`${deviceId}: a device id is upper-case hex without padding`);
  return nameOf([
    [Oid.organizationName, ORGANIZATION],
    [Oid.serialNumber, deviceId],
  ]);
}

function only(name: Name, index: number): Attribute | undefined {
  return name[index]?.length === 1 ? name[index][0] : undefined;
}

/** The device id of a subject in the form of tokenSubject exactly; undefined for any other name. */
export function deviceIdOf(subject: Name): string | undefined {
  if (subject.length !== 2) return undefined;
  const [organization, serial] = [only(subject, 0), only(subject, 1)];
  const isFobnail =
    organization?.type === Oid.organizationName &&
    organization.tag === Tag.Utf8String &&
    organization.text === ORGANIZATION;
  const isSerial = serial?.type === Oid.serialNumber && serial.tag === Tag.PrintableString;
  return isFobnail && isSerial && DEVICE_ID.test(serial.text ?? "") ? serial.text : undefined;
}

export interface CsrSpec {
  readonly subject: Name;
  readonly key: PrivateKey;
}

/** A certification request without attributes. A token's subject comes from tokenSubject. */
export function buildCsr({ subject, key }: CsrSpec, random: Random): Uint8Array {
  const scheme = usualScheme(key);
  const value = {
    version: 0,
    subject,
    subjectPKInfo: { algorithm: "", key, bits: new Uint8Array() },
    attributes: [],
  };
  const octets = encode(CertificationRequestInfo, value);
  const signatureValue = signMessage(key, scheme, octets, random);
  const signatureAlgorithm = identifierOf(scheme);
  return encode(CertificationRequest, { content: { octets, value }, signatureAlgorithm, signatureValue });
}
