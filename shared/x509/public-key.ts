/** SubjectPublicKeyInfo: RFC 3279, section 2.3.1 (RSA), RFC 4055 (RSA-PSS, RSA-OAEP), RFC 5480 (P-256, P-384, P-521), RFC 8410 (Ed25519). */
import { type Codec, concat, decode, encode, type Reader, struct } from "../bytes/index.ts";
import {
  digest,
  type EcPublicKey,
  isOnCurve,
  type PublicCurveName,
  type PublicKey,
  type RsaPublicKey,
  type SignatureScheme,
} from "../crypto/index.ts";
import {
  type AlgorithmIdentifier,
  AlgorithmIdentifierDer,
  allows,
  decodePssTerms,
  fits,
  isNullOrAbsent,
  type PssTerms,
  usualScheme,
} from "./algorithm.ts";
import { sequence } from "./der.ts";
import { bitString, nullValue, oid, smallUnsigned, unsigned } from "./der-types.ts";
import { Oid } from "./oid.ts";

const MAX_MODULUS_BYTES = 1024;
const MAX_EXPONENT = 0xffff_ffff;
const ED25519_BYTES = 32;
const UNCOMPRESSED = 0x04;
const CURVES: Readonly<Record<PublicCurveName, { readonly oid: string; readonly fieldBytes: number }>> = {
  "P-256": { oid: Oid.p256, fieldBytes: 32 },
  "P-384": { oid: Oid.p384, fieldBytes: 48 },
  "P-521": { oid: Oid.p521, fieldBytes: 66 },
};
const CURVE_NAMES: readonly PublicCurveName[] = ["P-256", "P-384", "P-521"];

export interface SubjectPublicKeyInfo {
  /** The algorithm by which the key is listed: RSA keys come as rsaEncryption, RSASSA-PSS or RSAES-OAEP. */
  readonly algorithm: string;
  readonly key: PublicKey;
  /** The contents of the BIT STRING: what a key identifier is made from (RFC 5280, section 4.2.1.2). */
  readonly bits: Uint8Array;
  /** What a key that is listed as RSASSA-PSS may sign with; undefined: any parameters (RFC 4055, section 1.2). */
  readonly pss?: PssTerms | undefined;
}

const RsaPublicKeyDer: Codec<{ readonly modulus: Uint8Array; readonly publicExponent: number }> = sequence(
  struct("RSAPublicKey", { modulus: unsigned, publicExponent: smallUnsigned(MAX_EXPONENT) }),
);

function readRsa(r: Reader, bits: Uint8Array): RsaPublicKey {
  const { modulus: n, publicExponent: e } = decode(RsaPublicKeyDer, bits);
  if (n.byteLength > MAX_MODULUS_BYTES) r.fail(`an RSA modulus of more than ${MAX_MODULUS_BYTES} bytes`);
  if (((n.at(-1) ?? 0) & 1) === 0 || (e & 1) === 0 || e < 3) r.fail("an RSA modulus or exponent that cannot be");
  return { type: "rsa", n, e };
}

function readEc(r: Reader, parameters: Uint8Array | undefined, bits: Uint8Array): EcPublicKey {
  const named = parameters === undefined ? r.fail("a curve is missing") : decode(oid, parameters, "parameters");
  const curve = CURVE_NAMES.find((name) => CURVES[name].oid === named) ?? r.fail(`curve ${named} is not supported`);
  const { fieldBytes } = CURVES[curve];
  if (bits.byteLength !== 1 + 2 * fieldBytes || bits[0] !== UNCOMPRESSED) r.fail("not an uncompressed point");
  const key: EcPublicKey = { type: "ec", curve, x: bits.subarray(1, 1 + fieldBytes), y: bits.subarray(1 + fieldBytes) };
  if (!isOnCurve(key)) r.fail("the point is not on the curve");
  return key;
}

function readKey(r: Reader, { algorithm, parameters }: AlgorithmIdentifier, bits: Uint8Array): PublicKey {
  switch (algorithm) {
    case Oid.rsaEncryption:
      if (!isNullOrAbsent(parameters)) r.fail("rsaEncryption has the parameter NULL");
      return readRsa(r, bits);
    case Oid.rsaesOaep: // Infineon and STMicroelectronics list their EKs so; the parameters do not bind a TPM
    case Oid.rsassaPss:
      return readRsa(r, bits);
    case Oid.ecPublicKey:
      return readEc(r, parameters, bits);
    case Oid.ed25519:
      if (parameters !== undefined || bits.byteLength !== ED25519_BYTES) {
        r.fail("an Ed25519 key has 32 bytes and its algorithm no parameters");
      }
      return { type: "ed25519", key: bits };
    default:
      return r.fail(`public key algorithm ${algorithm} is not supported`);
  }
}

function pssTerms({ algorithm, parameters }: AlgorithmIdentifier): PssTerms | undefined {
  return algorithm === Oid.rsassaPss && parameters !== undefined ? decodePssTerms(parameters) : undefined;
}

/** May the private half make signatures of this scheme, by its type, its listing and its parameters? */
export function mayMake({ algorithm, key, pss }: SubjectPublicKeyInfo, scheme: SignatureScheme): boolean {
  if (!fits(key, scheme) || algorithm === Oid.rsaesOaep) return false;
  if (algorithm === Oid.rsassaPss && !scheme.startsWith("rsa-pss-")) return false;
  return pss === undefined || allows(pss, scheme);
}

/**
 * The scheme of signatures that do not say theirs, by how the key is listed: one that is listed as RSASSA-PSS makes nothing else (RFC 4055,
 * section 1.2), with the hash of its parameters, or SHA-256 where none bind it. Undefined for a key that makes none that we accept.
 */
export function listedScheme(info: SubjectPublicKeyInfo): SignatureScheme | undefined {
  const { algorithm, key, pss } = info;
  const scheme = algorithm === Oid.rsassaPss ? (`rsa-pss-${pss?.hash ?? "sha256"}` as const) : usualScheme(key);
  return mayMake(info, scheme) ? scheme : undefined;
}

function keyBits(key: PublicKey): Uint8Array {
  if (key.type === "rsa") return encode(RsaPublicKeyDer, { modulus: key.n, publicExponent: key.e });
  return key.type === "ec" ? concat(Uint8Array.of(UNCOMPRESSED), key.x, key.y) : key.key;
}

function keyAlgorithm(key: PublicKey): AlgorithmIdentifier {
  if (key.type === "rsa") return { algorithm: Oid.rsaEncryption, parameters: encode(nullValue, null) };
  if (key.type === "ed25519") return { algorithm: Oid.ed25519, parameters: undefined };
  return { algorithm: Oid.ecPublicKey, parameters: encode(oid, CURVES[key.curve].oid) };
}

const Plain = sequence(
  struct("SubjectPublicKeyInfo", { algorithm: AlgorithmIdentifierDer, subjectPublicKey: bitString }),
);

/** Reads every listing of a key, writes the plain one. */
export const SubjectPublicKeyInfoDer: Codec<SubjectPublicKeyInfo> = {
  read(r) {
    const { algorithm, subjectPublicKey: bits } = Plain.read(r);
    return { algorithm: algorithm.algorithm, key: readKey(r, algorithm, bits), bits, pss: pssTerms(algorithm) };
  },
  write: (w, { key }) => Plain.write(w, { algorithm: keyAlgorithm(key), subjectPublicKey: keyBits(key) }),
};

/** DER of SubjectPublicKeyInfo. */
export function encodePublicKey(key: PublicKey): Uint8Array {
  return encode(Plain, { algorithm: keyAlgorithm(key), subjectPublicKey: keyBits(key) });
}

/** Throws CodecError: malformed, or not a kind of key that we use. */
export function decodePublicKey(der: Uint8Array): PublicKey {
  return decode(SubjectPublicKeyInfoDer, der).key;
}

/** RFC 5280, section 4.2.1.2, method 1: what OpenSSL calls `hash`. 20 bytes. */
export function keyIdentifier(key: PublicKey): Uint8Array {
  return digest("sha1", keyBits(key));
}

/** The size of an RSA modulus. */
export function modulusBits(key: RsaPublicKey): number {
  const first = key.n.find((octet) => octet !== 0) ?? 0;
  const whole = key.n.byteLength - key.n.findIndex((octet) => octet !== 0) - 1;
  return first === 0 ? 0 : 8 * whole + (32 - Math.clz32(first));
}
