import { digestSize } from "../../../shared/crypto/index.ts";
import {
  TpmaObjectBit as Bit,
  hashNameOf,
  TpmAlg,
  TpmEccCurve,
  TpmRc,
  type TpmtPublic,
  type TpmtPublicKeyedHash,
  type TpmtPublicParms,
  type TpmtSymDefObject,
} from "../../../shared/tpm/index.ts";
import type { KeyObject } from "./object.ts";
import { refuse } from "./refusal.ts";

/** Rules for public areas: which values this TPM takes at all, and which go together (Part 1, 25 and 27; Part 3, 12). */

const RSA_BITS = 2048;
const MIN_EXPONENT = 65537;

const has = (attributes: number, bit: number) => (attributes & bit) !== 0;

/** Values that the structure allows and this TPM does not implement: the checks of the TPMI types. `nameless`: nameAlg may be NULL. */
export function checkImplemented(area: TpmtPublic, nameless = false): void {
  if (area.type === TpmAlg.SYMCIPHER) refuse(TpmRc.TYPE);
  if (hashNameOf(area.nameAlg) === undefined && !(nameless && area.nameAlg === TpmAlg.NULL)) refuse(TpmRc.HASH);
  checkParameters(area);
}

/** The same for the parameters alone: TPM2_TestParms. */
export function checkParameters(area: TpmtPublicParms): void {
  if (area.type === TpmAlg.SYMCIPHER) refuse(TpmRc.TYPE);
  if (area.type !== TpmAlg.KEYEDHASH) checkSymmetric(area.parameters.symmetric);
  const { scheme } = area.parameters;
  if ("hashAlg" in scheme && hashNameOf(scheme.hashAlg) === undefined) refuse(TpmRc.HASH);
  if (area.type === TpmAlg.KEYEDHASH) return;
  if (area.type === TpmAlg.RSA) {
    if (area.parameters.keyBits !== RSA_BITS) refuse(TpmRc.VALUE);
    return;
  }
  const { curveID, kdf } = area.parameters;
  if (curveID !== TpmEccCurve.NIST_P256 && curveID !== TpmEccCurve.NIST_P384) refuse(TpmRc.CURVE);
  if (kdf.scheme !== TpmAlg.NULL) refuse(TpmRc.KDF);
}

function checkSymmetric(symmetric: TpmtSymDefObject): void {
  if (symmetric.algorithm !== TpmAlg.AES) return;
  if (symmetric.keyBits !== 128) refuse(TpmRc.VALUE);
  if (symmetric.mode !== TpmAlg.CFB) refuse(TpmRc.MODE);
}

/** CreateChecks of the reference implementation. `parent` is undefined for a primary. */
export function checkCreation(area: TpmtPublic, parent: KeyObject | undefined, dataSize: number): void {
  const { objectAttributes: attributes } = area;
  const origin = has(attributes, Bit.SENSITIVE_DATA_ORIGIN);
  if (!origin && dataSize === 0) refuse(TpmRc.ATTRIBUTES);
  if (parent !== undefined && origin && dataSize !== 0) refuse(TpmRc.ATTRIBUTES);
  if (area.type === TpmAlg.KEYEDHASH) {
    if (isData(attributes) && origin) refuse(TpmRc.ATTRIBUTES); // there is nothing that the TPM could make up
    const stays = has(attributes, Bit.FIXED_PARENT | Bit.FIXED_TPM);
    if (has(attributes, Bit.RESTRICTED) && !origin && stays) refuse(TpmRc.ATTRIBUTES);
  } else if (!origin) refuse(TpmRc.ATTRIBUTES); // the TPM makes asymmetric keys itself
  checkAttributes(area, parent);
}

/** Sealed data: a keyed hash object that neither signs nor decrypts. */
function isData(attributes: number): boolean {
  return !has(attributes, Bit.SIGN) && !has(attributes, Bit.DECRYPT);
}

/** PublicAttributesValidation of the reference implementation. */
export function checkAttributes(area: TpmtPublic, parent: KeyObject | undefined): void {
  const { objectAttributes: attributes, authPolicy } = area;
  const hash = hashNameOf(area.nameAlg);
  if (hash === undefined) refuse(TpmRc.HASH);
  if (authPolicy.byteLength !== 0 && authPolicy.byteLength !== digestSize(hash)) refuse(TpmRc.SIZE);
  checkDuplication(attributes, parent?.area.objectAttributes ?? Bit.FIXED_TPM);
  // Only a data object is neither for signing nor for decryption, and a restricted key is for one of them.
  if (has(attributes, Bit.SIGN) === has(attributes, Bit.DECRYPT)) {
    if (has(attributes, Bit.RESTRICTED)) refuse(TpmRc.ATTRIBUTES);
    if (area.type !== TpmAlg.KEYEDHASH && !has(attributes, Bit.SIGN)) refuse(TpmRc.ATTRIBUTES);
  }
  checkSchemes(area, parent);
}

function checkDuplication(attributes: number, parent: number): void {
  const fixedTpm = has(attributes, Bit.FIXED_TPM);
  const encrypted = has(attributes, Bit.ENCRYPTED_DUPLICATION);
  if (has(parent, Bit.FIXED_TPM)) {
    if (has(attributes, Bit.FIXED_PARENT) !== fixedTpm) refuse(TpmRc.ATTRIBUTES);
  } else {
    if (fixedTpm) refuse(TpmRc.ATTRIBUTES);
    if (encrypted !== has(parent, Bit.ENCRYPTED_DUPLICATION)) refuse(TpmRc.ATTRIBUTES);
  }
  if (fixedTpm && encrypted) refuse(TpmRc.ATTRIBUTES);
}

const SIGN_SCHEMES: readonly number[] = [TpmAlg.RSASSA, TpmAlg.RSAPSS, TpmAlg.ECDSA];
const DECRYPT_SCHEMES: readonly number[] = [TpmAlg.RSAES, TpmAlg.OAEP, TpmAlg.ECDH];

/** SchemeChecks of the reference implementation. */
export function checkSchemes(area: TpmtPublic, parent: KeyObject | undefined): void {
  if (area.type === TpmAlg.SYMCIPHER) refuse(TpmRc.TYPE);
  if (area.type === TpmAlg.KEYEDHASH) {
    checkKeyedHashScheme(area);
    return;
  }
  const { objectAttributes: attributes } = area;
  const { symmetric } = area.parameters;
  const scheme: number = area.parameters.scheme.scheme;
  if (!schemeFits(attributes, scheme)) refuse(TpmRc.SCHEME);
  if (!isStorage(area)) {
    if (symmetric.algorithm !== TpmAlg.NULL) refuse(TpmRc.SYMMETRIC);
    return;
  }
  if (symmetric.algorithm === TpmAlg.NULL) refuse(TpmRc.SYMMETRIC);
  if (parent !== undefined && has(attributes, Bit.FIXED_PARENT) && area.nameAlg !== parent.area.nameAlg)
    refuse(TpmRc.HASH);
}

function schemeFits(attributes: number, scheme: number): boolean {
  const sign = has(attributes, Bit.SIGN);
  const restricted = has(attributes, Bit.RESTRICTED);
  if (sign === has(attributes, Bit.DECRYPT)) return scheme === TpmAlg.NULL;
  if (sign) return SIGN_SCHEMES.includes(scheme) || (!restricted && scheme === TpmAlg.NULL);
  return scheme === TpmAlg.NULL || (!restricted && DECRYPT_SCHEMES.includes(scheme));
}

function checkKeyedHashScheme({ objectAttributes: attributes, parameters }: TpmtPublicKeyedHash): void {
  const { scheme } = parameters.scheme;
  const sign = has(attributes, Bit.SIGN);
  const wanted = sign === has(attributes, Bit.DECRYPT) ? TpmAlg.NULL : sign ? TpmAlg.HMAC : TpmAlg.XOR;
  if (scheme !== wanted) refuse(TpmRc.SCHEME);
  // A restricted one that decrypts derives keys for children, which this TPM does not do.
  if (scheme === TpmAlg.XOR && has(attributes, Bit.RESTRICTED)) refuse(TpmRc.SCHEME);
}

/** A restricted decryption key: what other keys can be created under, and what activates credentials. */
export function isStorage({ type, objectAttributes }: Pick<TpmtPublic, "type" | "objectAttributes">): boolean {
  return type !== TpmAlg.KEYEDHASH && has(objectAttributes, Bit.RESTRICTED) && has(objectAttributes, Bit.DECRYPT);
}

export function checkExponent(area: TpmtPublic): void {
  if (area.type !== TpmAlg.RSA) return;
  const { exponent } = area.parameters;
  if (exponent !== 0 && exponent !== MIN_EXPONENT) refuse(TpmRc.RANGE); // others are rarely supported, and never wanted
}
