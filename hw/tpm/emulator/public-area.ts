import { digestSize } from "../../../shared/crypto/index.ts";
import {
  TpmaObjectBit as Bit,
  hashNameOf,
  TpmAlg,
  TpmEccCurve,
  TpmRc,
  type TpmtPublic,
  type TpmtSymDefObject,
} from "../../../shared/tpm/index.ts";
import type { KeyObject } from "./object.ts";
import { refuse } from "./refusal.ts";

/** Rules for public areas: which values this TPM takes at all, and which go together (Part 1, 25 and 27; Part 3, 12). */

const RSA_BITS = 2048;
const MIN_EXPONENT = 65537;

const has = (attributes: number, bit: number) => (attributes & bit) !== 0;

/** Values that the structure allows and this TPM does not implement: the checks of the TPMI types. */
export function checkImplemented(area: TpmtPublic): void {
  if (area.type !== TpmAlg.RSA && area.type !== TpmAlg.ECC) refuse(TpmRc.TYPE);
  if (hashNameOf(area.nameAlg) === undefined) refuse(TpmRc.HASH);
  checkSymmetric(area.parameters.symmetric);
  const { scheme } = area.parameters;
  if ("hashAlg" in scheme && hashNameOf(scheme.hashAlg) === undefined) refuse(TpmRc.HASH);
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
  const origin = has(area.objectAttributes, Bit.SENSITIVE_DATA_ORIGIN);
  // The TPM makes asymmetric keys itself, so data can only season a primary's seed.
  if (!origin || (parent !== undefined && dataSize !== 0)) refuse(TpmRc.ATTRIBUTES);
  checkAttributes(area, parent);
}

/** PublicAttributesValidation of the reference implementation. */
export function checkAttributes(area: TpmtPublic, parent: KeyObject | undefined): void {
  const { objectAttributes: attributes, authPolicy } = area;
  const hash = hashNameOf(area.nameAlg);
  if (hash === undefined) refuse(TpmRc.HASH);
  if (authPolicy.byteLength !== 0 && authPolicy.byteLength !== digestSize(hash)) refuse(TpmRc.SIZE);
  checkDuplication(attributes, parent?.area.objectAttributes ?? Bit.FIXED_TPM);
  // Only a data object is neither for signing nor for decryption, and a restricted key is for one of them.
  const both = has(attributes, Bit.SIGN) === has(attributes, Bit.DECRYPT);
  if (both && (has(attributes, Bit.RESTRICTED) || !has(attributes, Bit.SIGN))) refuse(TpmRc.ATTRIBUTES);
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

/** SchemeChecks of the reference implementation, for RSA and ECC. */
function checkSchemes(area: TpmtPublic, parent: KeyObject | undefined): void {
  if (area.type !== TpmAlg.RSA && area.type !== TpmAlg.ECC) refuse(TpmRc.TYPE);
  const { objectAttributes: attributes } = area;
  const { symmetric } = area.parameters;
  const scheme: number = area.parameters.scheme.scheme;
  if (!schemeFits(attributes, scheme)) refuse(TpmRc.SCHEME);
  if (!isStorage(attributes)) {
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
  if (sign && has(attributes, Bit.DECRYPT)) return scheme === TpmAlg.NULL;
  if (sign) return SIGN_SCHEMES.includes(scheme) || (!restricted && scheme === TpmAlg.NULL);
  return scheme === TpmAlg.NULL || (!restricted && DECRYPT_SCHEMES.includes(scheme));
}

/** A restricted decryption key: what other keys can be created under, and what activates credentials. */
export function isStorage(attributes: number): boolean {
  return has(attributes, Bit.RESTRICTED) && has(attributes, Bit.DECRYPT);
}

export function checkExponent(area: TpmtPublic): void {
  if (area.type !== TpmAlg.RSA) return;
  const { exponent } = area.parameters;
  if (exponent !== 0 && exponent !== MIN_EXPONENT) refuse(TpmRc.RANGE); // others are rarely supported, and never wanted
}
