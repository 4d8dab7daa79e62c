import { verify } from "node:crypto";
import { concat } from "../bytes/index.ts";
import { curveOrder, ecKeyFromScalar, fieldSize } from "./ec.ts";
import { digestNumber, ecdsaNonces } from "./ecdsa-nonce.ts";
import { inverse, toBigInt, toBytes } from "./integer.ts";
import { publicKeyObject } from "./key-object.ts";
import type { EcdsaSignature, EcPrivateKey, EcPublicKey, HashName } from "./keys.ts";

/**
 * ECDSA over a digest (FIPS 186-4 6.4) with the deterministic nonce of RFC 6979 for the curve's own hash. OpenSSL multiplies the point. How
 * long an inverse takes follows from its number, so the nonce is inverted only behind a blind, a number that nobody else knows.
 */
export function ecdsaSign(key: EcPrivateKey, digest: Uint8Array): EcdsaSignature {
  const [order, size] = [curveOrder(key.curve), fieldSize(key.curve)];
  const [z, d] = [digestNumber(key.curve, digest), toBigInt(key.d)];
  const next = ecdsaNonces(key, digest);
  for (;;) {
    const nonce = next();
    const point = ecKeyFromScalar(key.curve, nonce);
    const blind = toBigInt(next());
    const inverted = inverse((blind * toBigInt(nonce)) % order, order);
    if (point === undefined || inverted === undefined) continue; // never: both are in 1..order-1, and the order is a prime
    const r = toBigInt(point.x) % order;
    const s = (inverted * ((blind * z + ((blind * d) % order) * r) % order)) % order;
    if (r !== 0n && s !== 0n) return { r: toBytes(r, size), s: toBytes(s, size) };
  }
}

/** Whether r and s are within 1..order-1 and as long as the field. */
export function inRange(key: EcPublicKey, { r, s }: EcdsaSignature): boolean {
  const size = fieldSize(key.curve);
  const order = curveOrder(key.curve);
  return [r, s].every((scalar) => {
    const value = toBigInt(scalar);
    return scalar.byteLength === size && value > 0n && value < order;
  });
}

/** Over a message. For a digest whose message is not at hand: ecdsa-digest.ts. */
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
