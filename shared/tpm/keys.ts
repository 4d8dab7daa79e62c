/** Public areas as keys, and signatures checked with them. */
import { digest, ecdsaVerifyMessage, rsaPkcs1Verify, rsaPssVerify } from "../crypto/index.ts";
import type { CurveName, EcdsaSignature, HashName, PublicKey, RsaPublicKey, TpmEcPublicKey } from "../crypto/keys.ts";
import { TpmAlg, TpmEccCurve } from "./constants.ts";
import { hashNameOf } from "./hash.ts";
import type { TpmtPublic } from "./public.ts";
import type { TpmtSignature } from "./signature.ts";

const DEFAULT_EXPONENT = 65537;

const CURVES: ReadonlyMap<number, { readonly curve: CurveName; readonly bytes: number }> = new Map([
  [TpmEccCurve.NIST_P256, { curve: "P-256", bytes: 32 }],
  [TpmEccCurve.NIST_P384, { curve: "P-384", bytes: 48 }],
]);

/**
 * The key of an RSA or ECC public area; undefined for other types, an unknown curve, or a unique field of another size than
 * the parameters say. That a point lies on its curve is checked when it is used.
 */
export function publicKeyOf(publicArea: TpmtPublic): RsaPublicKey | TpmEcPublicKey | undefined {
  if (publicArea.type === TpmAlg.RSA) {
    const { keyBits, exponent } = publicArea.parameters;
    if (publicArea.unique.byteLength * 8 !== keyBits) return undefined;
    return { type: "rsa", n: publicArea.unique, e: exponent === 0 ? DEFAULT_EXPONENT : exponent };
  }
  if (publicArea.type !== TpmAlg.ECC) return undefined;
  const known = CURVES.get(publicArea.parameters.curveID);
  if (known === undefined) return undefined;
  const x = padded(publicArea.unique.x, known.bytes);
  const y = padded(publicArea.unique.y, known.bytes);
  return x === undefined || y === undefined ? undefined : { type: "ec", curve: known.curve, x, y };
}

/** Some TPMs drop leading zeros of coordinates and scalars: bring them to `size`. Undefined when longer. */
function padded(bytes: Uint8Array, size: number): Uint8Array | undefined {
  if (bytes.byteLength > size) return undefined;
  const all = new Uint8Array(size);
  all.set(bytes, size - bytes.byteLength);
  return all;
}

/** Whether `signature` is one over `message` by `key`, with the scheme and hash that it names: RSASSA, RSAPSS or ECDSA. */
export function verifyTpmSignature(key: PublicKey, signature: TpmtSignature, message: Uint8Array): boolean {
  const hash = hashOf(signature);
  if (hash === undefined) return false;
  if (signature.sigAlg !== TpmAlg.ECDSA) return verifyRsaDigest(key, signature, digest(hash, message));
  const scalars = scalarsOf(key, signature);
  return key.type === "ec" && scalars !== undefined && ecdsaVerifyMessage(key, hash, message, scalars);
}

/** Whether `signature` is RSASSA or RSAPSS over a digest that was made with its hash. For ECDSA: digest-signature.ts. */
export function verifyRsaDigest(key: PublicKey, signature: TpmtSignature, hashed: Uint8Array): boolean {
  const hash = hashOf(signature);
  if (hash === undefined || key.type !== "rsa") return false;
  switch (signature.sigAlg) {
    case TpmAlg.RSASSA:
      return rsaPkcs1Verify(key, hash, hashed, signature.sig);
    case TpmAlg.RSAPSS:
      return rsaPssVerify(key, hash, hashed, signature.sig);
    default:
      return false;
  }
}

function hashOf(signature: TpmtSignature): HashName | undefined {
  return "hash" in signature ? hashNameOf(signature.hash) : undefined;
}

/** r and s as long as the field; undefined where that cannot be, or the key is on no curve. */
export function scalarsOf(
  key: PublicKey,
  { signatureR, signatureS }: Extract<TpmtSignature, { sigAlg: typeof TpmAlg.ECDSA }>,
): EcdsaSignature | undefined {
  if (key.type !== "ec") return undefined;
  const r = padded(signatureR, key.x.byteLength);
  const s = padded(signatureS, key.x.byteLength);
  return r === undefined || s === undefined ? undefined : { r, s };
}
