import {
  type EcPrivateKey,
  generateEcKey,
  generateRsaKey,
  type RsaPrivateKey,
  rsaKeyFromPrimes,
  toBigInt,
} from "../../../shared/crypto/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import { publicKeyOf, TpmAlg, TpmEccCurve, type TpmtPublic, type TpmtSensitive } from "../../../shared/tpm/index.ts";
import { type KeyObject, sensitiveOf } from "./object.ts";

/** From TPMT_SENSITIVE to keys that sign and decrypt, and back. */

const DEFAULT_EXPONENT = 65537;

/** unique and sensitive of a new key. */
export interface NewKey {
  readonly area: TpmtPublic;
  readonly sensitive: TpmtSensitive;
}

export interface SensitiveParts {
  readonly authValue: Uint8Array;
  readonly seedValue: Uint8Array;
}

/** Makes the key that `template` (RSA or ECC, checked) describes. `random` decides it: the same stream, the same key. */
export function generateKey(template: TpmtPublic, parts: SensitiveParts, random: Random): NewKey {
  if (template.type === TpmAlg.RSA) {
    const { keyBits, exponent } = template.parameters;
    const key = generateRsaKey(random, keyBits, exponent === 0 ? DEFAULT_EXPONENT : exponent);
    return {
      area: { ...template, unique: key.n },
      sensitive: { sensitiveType: TpmAlg.RSA, ...parts, sensitive: key.p },
    };
  }
  if (template.type !== TpmAlg.ECC) throw new RangeError(`no keys of type 0x${template.type.toString(16)}`);
  const curve = template.parameters.curveID === TpmEccCurve.NIST_P384 ? "P-384" : "P-256";
  const key = generateEcKey(random, curve);
  return {
    area: { ...template, unique: { x: key.x, y: key.y } },
    sensitive: { sensitiveType: TpmAlg.ECC, ...parts, sensitive: key.d },
  };
}

const keys = new WeakMap<KeyObject, RsaPrivateKey | EcPrivateKey>();

/** The private key of an object. Restored once: the sensitive area has only one prime (Part 2, 11.2.4.7). */
export function privateKeyOf(object: KeyObject): RsaPrivateKey | EcPrivateKey {
  const known = keys.get(object);
  if (known !== undefined) return known;
  const key = restore(object);
  keys.set(object, key);
  return key;
}

function restore(object: KeyObject): RsaPrivateKey | EcPrivateKey {
  const publicKey = publicKeyOf(object.area);
  const sensitive = sensitiveOf(object);
  if (publicKey?.type === "rsa" && sensitive.sensitiveType === TpmAlg.RSA) {
    return rsaFromPrime(publicKey.n, publicKey.e, sensitive.sensitive);
  }
  if (publicKey?.type === "ec" && sensitive.sensitiveType === TpmAlg.ECC)
    return { ...publicKey, d: sensitive.sensitive };
  throw new RangeError("public and sensitive area do not belong together");
}

function rsaFromPrime(modulus: Uint8Array, e: number, prime: Uint8Array): RsaPrivateKey {
  const p = toBigInt(prime);
  const key = rsaKeyFromPrimes(p, toBigInt(modulus) / p, e, modulus.byteLength * 8);
  if (key === undefined) throw new RangeError("the prime does not belong to the modulus");
  return key;
}
