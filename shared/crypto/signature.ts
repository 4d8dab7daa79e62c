import { verify } from "node:crypto";
import type { Random } from "../ports/index.ts";
import { ecdsaSign } from "./ecdsa.ts";
import { ed25519Sign, ed25519Verify } from "./ed25519.ts";
import { digest, digestSize } from "./hash.ts";
import { publicKeyObject } from "./key-object.ts";
import type { EcPrivateKey, EcPublicKey, HashName, PrivateKey, PublicKey } from "./keys.ts";
import { rsaPkcs1Sign, rsaPkcs1Verify } from "./rsa-pkcs1.ts";
import { rsaPssSign, rsaPssVerify } from "./rsa-pss.ts";

/** How a certificate or request is signed. */
export type SignatureScheme =
  | `rsa-pkcs1-${"sha256" | "sha384" | "sha512"}`
  | `rsa-pss-${"sha256" | "sha384" | "sha512"}`
  | "ecdsa-sha256"
  | "ecdsa-sha384"
  | "ecdsa-sha512"
  | "ed25519";

type SchemeHash = "sha256" | "sha384" | "sha512";
const SCHEME_HASH: Readonly<Record<Exclude<SignatureScheme, "ed25519">, SchemeHash>> = {
  "rsa-pkcs1-sha256": "sha256",
  "rsa-pkcs1-sha384": "sha384",
  "rsa-pkcs1-sha512": "sha512",
  "rsa-pss-sha256": "sha256",
  "rsa-pss-sha384": "sha384",
  "rsa-pss-sha512": "sha512",
  "ecdsa-sha256": "sha256",
  "ecdsa-sha384": "sha384",
  "ecdsa-sha512": "sha512",
};

/** Whether the signature is right; false too when key and scheme do not fit. ECDSA signatures are DER (RFC 3279, 2.2.3). PSS: salt as long as the hash. */
export function verifyMessage(
  key: PublicKey,
  scheme: SignatureScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (scheme === "ed25519") return key.type === "ed25519" && ed25519Verify(key, message, signature);
  const hash = SCHEME_HASH[scheme];
  if (scheme.startsWith("ecdsa")) return key.type === "ec" && verifyDer(key, hash, message, signature);
  if (key.type !== "rsa") return false;
  const hashed = digest(hash, message);
  return scheme.startsWith("rsa-pss")
    ? rsaPssVerify(key, hash, hashed, signature, digestSize(hash))
    : rsaPkcs1Verify(key, hash, hashed, signature);
}

/** Throws RangeError when key and scheme do not fit. Only PSS draws from `random`. */
export function signMessage(key: PrivateKey, scheme: SignatureScheme, message: Uint8Array, random: Random): Uint8Array {
  if (scheme === "ed25519" && key.type === "ed25519") return ed25519Sign(key, message);
  if (scheme !== "ed25519" && key.type !== "ed25519") {
    const hash = SCHEME_HASH[scheme];
    const hashed = digest(hash, message);
    if (key.type === "ec" && scheme.startsWith("ecdsa")) return derSignature(key, hashed);
    if (key.type === "rsa" && scheme.startsWith("rsa-pss"))
      return rsaPssSign(key, hash, hashed, random.bytes(hashed.byteLength));
    if (key.type === "rsa" && scheme.startsWith("rsa-pkcs1")) return rsaPkcs1Sign(key, hash, hashed);
  }
  throw new RangeError(`a key of type ${key.type} does not sign with ${scheme}`);
}

/** OpenSSL reads DER strictly here and checks the ranges of r and s. */
function verifyDer(key: EcPublicKey, hash: HashName, message: Uint8Array, signature: Uint8Array): boolean {
  const object = publicKeyObject(key);
  return object !== undefined && verify(hash, message, { key: object, dsaEncoding: "der" }, signature);
}

function derSignature(key: EcPrivateKey, hashed: Uint8Array): Uint8Array {
  const { r, s } = ecdsaSign(key, hashed);
  const body = [...derInteger(r), ...derInteger(s)];
  return Uint8Array.from([0x30, body.length, ...body]); // at most 2 * 51 bytes: the short form of the length
}

function derInteger(scalar: Uint8Array): number[] {
  const start = scalar.findIndex((byte) => byte !== 0);
  const digits = [...scalar.subarray(start)];
  if (((digits[0] ?? 0) & 0x80) !== 0) digits.unshift(0);
  return [2, digits.length, ...digits];
}
