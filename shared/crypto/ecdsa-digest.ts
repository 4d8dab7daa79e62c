/** Not in the index of this folder: the curves take 20 ms to load, and only a TPM verifies digests without their messages. */
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { concat } from "../bytes/index.ts";
import { isOnCurve } from "./ec.ts";
import { inRange } from "./ecdsa.ts";
import { uncompressedPoint } from "./key-object.ts";
import type { EcdsaSignature, EcPublicKey } from "./keys.ts";

const CURVES = { "P-256": p256, "P-384": p384, "P-521": p521 } as const;
/** A digest longer than the order is cut, a shorter one taken as it is; a high `s` is as good as a low one (TPMs make both). */
const AS_GIVEN = { prehash: false, lowS: false } as const;

/** For a digest whose message is not at hand: Node verifies messages only, many times faster. */
export function ecdsaVerify(key: EcPublicKey, digest: Uint8Array, signature: EcdsaSignature): boolean {
  if (!inRange(key, signature) || !isOnCurve(key)) return false;
  const point = uncompressedPoint(key.x, key.y);
  return CURVES[key.curve].verify(concat(signature.r, signature.s), digest, point, AS_GIVEN);
}
