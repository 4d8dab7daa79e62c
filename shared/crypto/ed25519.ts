import { createPublicKey, sign, verify } from "node:crypto";
import { fromHex } from "../bytes/index.ts";
import { toBigInt } from "./integer.ts";
import { privateKeyObject, publicKeyObject } from "./key-object.ts";
import type { Ed25519PrivateKey, Ed25519PublicKey } from "./keys.ts";

/** 2^255 - 19. */
const FIELD = 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffedn;
const SIGN_BIT = 1n << 255n;

/** y coordinates of the eight points whose order divides 8 (RFC 8032 5.1; the list is in RFC 7748-style little-endian hex). */
const SMALL_ORDER_Y: readonly bigint[] = [
  0n,
  1n,
  FIELD - 1n,
  littleEndian("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
  littleEndian("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
];

function littleEndian(hex: string): bigint {
  return toBigInt(Uint8Array.from(fromHex(hex) ?? []).reverse());
}

/** Refused: a y that is not reduced (so a second form of a key), and points of small order, under which one signature fits many messages. */
function isSafePoint(bytes: Uint8Array): boolean {
  const y = toBigInt(Uint8Array.from(bytes).reverse()) % SIGN_BIT;
  return y < FIELD && !SMALL_ORDER_Y.includes(y);
}

/** The key of a 32-byte seed, RFC 8032 5.1.5. */
export function ed25519FromSeed(seed: Uint8Array): Ed25519PrivateKey {
  if (seed.byteLength !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.byteLength}`);
  const object = privateKeyObject({ type: "ed25519", seed, key: seed }); // the public part is not looked at
  const { x } = createPublicKey(object).export({ format: "jwk" });
  return { type: "ed25519", seed, key: new Uint8Array(Buffer.from(x ?? "", "base64url")) };
}

/** 64 bytes, RFC 8032 5.1.6. */
export function ed25519Sign(key: Ed25519PrivateKey, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateKeyObject(key)));
}

/** RFC 8032 5.1.7, and neither the key nor R of small order. OpenSSL refuses S that is not reduced. */
export function ed25519Verify(key: Ed25519PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const object = publicKeyObject(key);
  if (object === undefined || signature.byteLength !== 64) return false;
  if (!isSafePoint(key.key) || !isSafePoint(signature.subarray(0, 32))) return false;
  return verify(null, message, object, signature);
}
