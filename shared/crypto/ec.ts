import { createECDH, ECDH } from "node:crypto";
import type { Random } from "../ports/index.ts";
import { toBigInt } from "./integer.ts";
import { FIELD_BYTES, uncompressedPoint } from "./key-object.ts";
import type { CurveName, EcPrivateKey, EcPublicKey, PublicCurveName } from "./keys.ts";

const OPENSSL_NAMES: Readonly<Record<PublicCurveName, string>> = {
  "P-256": "prime256v1",
  "P-384": "secp384r1",
  "P-521": "secp521r1",
};

/** Orders of the base points, FIPS 186-4 D.1.2. */
const ORDERS: Readonly<Record<PublicCurveName, bigint>> = {
  "P-256": 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  "P-384": 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  "P-521":
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
};

/** Bytes of a coordinate and of a scalar. */
export function fieldSize(curve: PublicCurveName): number {
  return FIELD_BYTES[curve];
}

export function curveOrder(curve: PublicCurveName): bigint {
  return ORDERS[curve];
}

/** A key from rejection sampling of the given randomness, FIPS 186-4 B.4.2. */
export function generateEcKey(random: Random, curve: CurveName): EcPrivateKey {
  for (;;) {
    const key = ecKeyFromScalar(curve, random.bytes(FIELD_BYTES[curve]));
    if (key !== undefined) return key;
  }
}

/** The key with this scalar; undefined unless it lies in 1..order-1. `d` is as long as the field. */
export function ecKeyFromScalar(curve: CurveName, d: Uint8Array): EcPrivateKey | undefined {
  const value = toBigInt(d);
  const size = FIELD_BYTES[curve];
  if (d.byteLength !== size || value === 0n || value >= ORDERS[curve]) return undefined;
  const ecdhKey = createECDH(OPENSSL_NAMES[curve]);
  ecdhKey.setPrivateKey(d);
  const point = new Uint8Array(ecdhKey.getPublicKey());
  return { type: "ec", curve, x: point.slice(1, 1 + size), y: point.slice(1 + size), d };
}

export function isOnCurve(key: EcPublicKey): boolean {
  const size = FIELD_BYTES[key.curve];
  if (key.x.byteLength !== size || key.y.byteLength !== size) return false;
  try {
    ECDH.convertKey(uncompressedPoint(key.x, key.y), OPENSSL_NAMES[key.curve]);
    return true;
  } catch {
    return false; // OpenSSL refuses points that do not satisfy the curve equation
  }
}

/** The x coordinate of the shared point (SP 800-56A 5.7.1.2); undefined when `peer` is not a point of the same curve. */
export function ecdh(key: EcPrivateKey, peer: EcPublicKey): Uint8Array | undefined {
  if (key.curve !== peer.curve || !isOnCurve(peer)) return undefined;
  const own = createECDH(OPENSSL_NAMES[key.curve]);
  own.setPrivateKey(key.d);
  return new Uint8Array(own.computeSecret(uncompressedPoint(peer.x, peer.y)));
}
