import { verify } from "node:crypto";
import { p256, p384 } from "@noble/curves/nist.js";
import { concat } from "../bytes/index.ts";
import { curveOrder, fieldSize, isOnCurve } from "./ec.ts";
import { toBigInt } from "./integer.ts";
import { publicKeyObject, uncompressedPoint } from "./key-object.ts";
import type { EcdsaSignature, EcPrivateKey, EcPublicKey, HashName } from "./keys.ts";

const CURVES = { "P-256": p256, "P-384": p384 } as const;
/** A digest longer than the order is cut, a shorter one taken as it is; `s` is left as it comes (TPMs make high ones). */
const AS_GIVEN = { prehash: false, lowS: false } as const;

/** ECDSA over a digest (FIPS 186-4 6.4) with the deterministic nonce of RFC 6979 for the curve's own hash. */
export function ecdsaSign(key: EcPrivateKey, digest: Uint8Array): EcdsaSignature {
  const size = fieldSize(key.curve);
  const signature = CURVES[key.curve].sign(digest, key.d, AS_GIVEN);
  return { r: signature.slice(0, size), s: signature.slice(size) };
}

/** r and s within 1..order-1 and as long as the field. */
function inRange(key: EcPublicKey, { r, s }: EcdsaSignature): boolean {
  const size = fieldSize(key.curve);
  const order = curveOrder(key.curve);
  return [r, s].every((scalar) => {
    const value = toBigInt(scalar);
    return scalar.byteLength === size && value > 0n && value < order;
  });
}

/** For a digest whose message is not at hand. */
export function ecdsaVerify(key: EcPublicKey, digest: Uint8Array, signature: EcdsaSignature): boolean {
  if (!inRange(key, signature) || !isOnCurve(key)) return false;
  const point = uncompressedPoint(key.x, key.y);
  return CURVES[key.curve].verify(concat(signature.r, signature.s), digest, point, AS_GIVEN);
}

/** For a message: the same answer, many times faster. */
export function ecdsaVerifyMessage(
  key: EcPublicKey,
  hash: HashName,
  message: Uint8Array,
  signature: EcdsaSignature,
): boolean {
  const object = publicKeyObject(key);
  if (object === undefined || !inRange(key, signature)) return false;
  return verify(hash, message, { key: object, dsaEncoding: "ieee-p1363" }, concat(signature.r, signature.s));
}
