import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { concat, encode, u32be } from "../bytes/index.ts";
import type { PrivateKey, PublicCurveName, PublicKey } from "./keys.ts";
import { rsaKeyFlaw } from "./rsa-check.ts";

const publicKeys = new WeakMap<PublicKey, KeyObject>();
const privateKeys = new WeakMap<PrivateKey, KeyObject>();

/** Bytes of a coordinate and of a scalar. */
export const FIELD_BYTES: Readonly<Record<PublicCurveName, number>> = { "P-256": 32, "P-384": 48, "P-521": 66 };

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** An exponent as its shortest big-endian bytes. */
function shortest(value: number): Uint8Array {
  const bytes = encode(u32be, value);
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}

function publicJwk(key: PublicKey): Record<string, string> {
  if (key.type === "rsa") return { kty: "RSA", n: base64url(key.n), e: base64url(shortest(key.e)) };
  if (key.type === "ec") return { kty: "EC", crv: key.curve, x: base64url(key.x), y: base64url(key.y) };
  return { kty: "OKP", crv: "Ed25519", x: base64url(key.key) };
}

function privateJwk(key: PrivateKey): Record<string, string> {
  const jwk = publicJwk(key);
  if (key.type === "ed25519") return { ...jwk, d: base64url(key.seed) };
  if (key.type === "ec") return { ...jwk, d: base64url(key.d) };
  const { d, p, q, dp, dq, qi } = key;
  return {
    ...jwk,
    d: base64url(d),
    p: base64url(p),
    q: base64url(q),
    dp: base64url(dp),
    dq: base64url(dq),
    qi: base64url(qi),
  };
}

/** Lengths and bounds that OpenSSL takes lightly; that a point lies on its curve it checks itself. */
function isPlausible(key: PublicKey): boolean {
  if (key.type === "rsa") return rsaKeyFlaw(key) === undefined;
  if (key.type === "ed25519") return key.key.byteLength === 32;
  return key.x.byteLength === FIELD_BYTES[key.curve] && key.y.byteLength === FIELD_BYTES[key.curve];
}

/** Node's form of a key, made once for each object. Undefined when it is none, for example a point off its curve. */
export function publicKeyObject(key: PublicKey): KeyObject | undefined {
  const known = publicKeys.get(key);
  if (known !== undefined) return known;
  if (!isPlausible(key)) return undefined;
  try {
    const made = createPublicKey({ key: publicJwk(key), format: "jwk" });
    publicKeys.set(key, made);
    return made;
  } catch {
    return undefined; // not a key: the caller's verification fails
  }
}

/** As above for a private key; a key that OpenSSL refuses is a bug of whoever made it, so this throws. */
export function privateKeyObject(key: PrivateKey): KeyObject {
  const known = privateKeys.get(key);
  if (known !== undefined) return known;
  const made = createPrivateKey({ key: privateJwk(key), format: "jwk" });
  privateKeys.set(key, made);
  return made;
}

/** SEC 1 uncompressed point. */
export function uncompressedPoint(x: Uint8Array, y: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(4), x, y);
}
