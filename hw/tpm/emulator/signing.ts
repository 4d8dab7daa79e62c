import { constantTimeEqual } from "../../../shared/bytes/index.ts";
import { digestSize, ecdsaSign, type HashName, hmac, rsaPkcs1Sign, rsaPssSign } from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import { verifyTpmDigest } from "../../../shared/tpm/digest-signature.ts";
import {
  hashAlgOf,
  hashNameOf,
  publicKeyOf,
  TpmAlg,
  TpmRc,
  type TpmtPublicKeyedHash,
  type TpmtSignature,
  type TpmtSigScheme,
  tpmtHa,
} from "../../../shared/tpm/index.ts";
import { privateKeyOf } from "./key-material.ts";
import { schemeHashOf } from "./keyed-hash.ts";
import { type KeyObject, sensitiveOf } from "./object.ts";
import { refuse } from "./refusal.ts";

/** Signing schemes: Part 1, annexes B.5, B.6 and C.4. */

export interface ChosenScheme {
  readonly scheme: number;
  readonly hash: HashName;
}

/**
 * What to sign with: the key's scheme, or the command's where the key leaves it open; both must agree where both choose (Part 3,
 * 20.2). Refuses with HASH an unknown hash, with SCHEME a choice that does not fit, each without a number.
 */
export function chooseScheme(key: KeyObject, wanted: TpmtSigScheme): ChosenScheme {
  const asked = hashOf(wanted);
  if (asked !== undefined && !schemesOf(key).includes(wanted.scheme)) refuse(TpmRc.SCHEME);
  const scheme = ownSchemeOf(key);
  const own = scheme.hashAlg === undefined ? undefined : hashNameOf(scheme.hashAlg);
  if (scheme.scheme === TpmAlg.NULL) {
    return asked === undefined ? refuse(TpmRc.SCHEME) : { scheme: wanted.scheme, hash: asked };
  }
  if (own === undefined) refuse(TpmRc.SCHEME);
  if (asked !== undefined && (wanted.scheme !== scheme.scheme || asked !== own)) refuse(TpmRc.SCHEME);
  return { scheme: scheme.scheme, hash: own };
}

const SCHEMES: ReadonlyMap<number, readonly number[]> = new Map([
  [TpmAlg.RSA, [TpmAlg.RSASSA, TpmAlg.RSAPSS]],
  [TpmAlg.ECC, [TpmAlg.ECDSA]],
  [TpmAlg.KEYEDHASH, [TpmAlg.HMAC]],
]);

function schemesOf({ area }: KeyObject): readonly number[] {
  return SCHEMES.get(area.type) ?? [];
}

function ownSchemeOf({ area }: KeyObject): { readonly scheme: number; readonly hashAlg?: number } {
  return area.type === TpmAlg.SYMCIPHER ? refuse(TpmRc.SCHEME) : area.parameters.scheme;
}

/** Undefined for the NULL scheme. */
function hashOf(wanted: TpmtSigScheme): HashName | undefined {
  if (wanted.scheme === TpmAlg.NULL) return undefined;
  const alg = wanted.hashAlg;
  return hashNameOf(alg) ?? refuse(TpmRc.HASH);
}

/** Signs a digest made with `hash`. A scheme that is none of the key's kind is refused with SCHEME. */
export function sign(
  key: KeyObject,
  { scheme, hash }: ChosenScheme,
  digestBytes: Uint8Array,
  random: Random,
): TpmtSignature {
  const hashAlg = hashAlgOf(hash);
  if (key.area.type === TpmAlg.KEYEDHASH) {
    if (scheme !== TpmAlg.HMAC) refuse(TpmRc.SCHEME);
    return { sigAlg: scheme, hmac: tpmtHa(hashAlg, hmac(hash, sensitiveOf(key).sensitive, digestBytes)) };
  }
  const privateKey = privateKeyOf(key);
  if (privateKey.type === "rsa") {
    if (scheme === TpmAlg.RSASSA)
      return { sigAlg: scheme, hash: hashAlg, sig: rsaPkcs1Sign(privateKey, hash, digestBytes) };
    if (scheme !== TpmAlg.RSAPSS) refuse(TpmRc.SCHEME);
    return {
      sigAlg: scheme,
      hash: hashAlg,
      sig: rsaPssSign(privateKey, hash, digestBytes, random.bytes(digestSize(hash))),
    };
  }
  if (scheme !== TpmAlg.ECDSA) refuse(TpmRc.SCHEME);
  const { r, s } = ecdsaSign(privateKey, digestBytes);
  return { sigAlg: scheme, hash: hashAlg, signatureR: r, signatureS: s };
}

/**
 * Refuses, without a number, what is no signature of `key` over a digest: SCHEME for a scheme that is not the key's kind, SIGNATURE for
 * a wrong one, HANDLE for an HMAC key of which only the public area is here.
 */
export function verify(key: KeyObject, digestBytes: Uint8Array, signature: TpmtSignature): void {
  const { area } = key;
  if (area.type === TpmAlg.KEYEDHASH) verifyHmac(key, area, digestBytes, signature);
  else if (!schemesOf(key).includes(signature.sigAlg)) refuse(TpmRc.SCHEME);
  else {
    const publicKey = publicKeyOf(area);
    if (publicKey === undefined || !verifyTpmDigest(publicKey, signature, digestBytes)) refuse(TpmRc.SIGNATURE);
  }
}

function verifyHmac(
  key: KeyObject,
  area: TpmtPublicKeyedHash,
  digestBytes: Uint8Array,
  signature: TpmtSignature,
): void {
  if (key.sensitive === undefined) refuse(TpmRc.HANDLE);
  if (signature.sigAlg !== TpmAlg.HMAC) refuse(TpmRc.SCHEME);
  const hash = hashNameOf(signature.hmac.hashAlg) ?? refuse(TpmRc.SCHEME);
  const own = schemeHashOf(area);
  if (own !== undefined && own !== hash) refuse(TpmRc.SIGNATURE);
  if (!constantTimeEqual(signature.hmac.digest, hmac(hash, key.sensitive.sensitive, digestBytes)))
    refuse(TpmRc.SIGNATURE);
}
