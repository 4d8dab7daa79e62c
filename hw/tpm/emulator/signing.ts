import { digestSize, ecdsaSign, type HashName, rsaPkcs1Sign, rsaPssSign } from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import {
  hashAlgOf,
  hashNameOf,
  TpmAlg,
  TpmRc,
  type TpmtSignature,
  type TpmtSigScheme,
} from "../../../shared/tpm/index.ts";
import { privateKeyOf } from "./key-material.ts";
import type { KeyObject } from "./object.ts";
import { refuse } from "./refusal.ts";

/** Signing schemes: Part 1, annexes B.5, B.6 and C.4. */

export interface ChosenScheme {
  readonly scheme: number;
  readonly hash: HashName;
}

const RSA_SCHEMES = [TpmAlg.RSASSA, TpmAlg.RSAPSS];
const ECC_SCHEMES = [TpmAlg.ECDSA];

/**
 * What to sign with: the key's scheme, or the command's where the key leaves it open; both must agree where both choose (Part 3,
 * 20.2). Refuses with HASH an unknown hash, with SCHEME a choice that does not fit, each without a number.
 */
export function chooseScheme(key: KeyObject, wanted: TpmtSigScheme): ChosenScheme {
  const asked = hashOf(wanted);
  if (key.area.type !== TpmAlg.RSA && key.area.type !== TpmAlg.ECC) refuse(TpmRc.SCHEME);
  const kinds: readonly number[] = key.area.type === TpmAlg.RSA ? RSA_SCHEMES : ECC_SCHEMES;
  if (asked !== undefined && !kinds.includes(wanted.scheme)) refuse(TpmRc.SCHEME);
  const { scheme } = key.area.parameters;
  const own = "hashAlg" in scheme ? hashNameOf(scheme.hashAlg) : undefined;
  if (scheme.scheme === TpmAlg.NULL) {
    return asked === undefined ? refuse(TpmRc.SCHEME) : { scheme: wanted.scheme, hash: asked };
  }
  if (own === undefined) refuse(TpmRc.SCHEME);
  if (asked !== undefined && (wanted.scheme !== scheme.scheme || asked !== own)) refuse(TpmRc.SCHEME);
  return { scheme: scheme.scheme, hash: own };
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
  const privateKey = privateKeyOf(key);
  const hashAlg = hashAlgOf(hash);
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
