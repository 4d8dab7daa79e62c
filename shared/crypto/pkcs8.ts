import { createPrivateKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { CodecError, equal, Reader } from "../bytes/index.ts";
import { ecKeyFromScalar } from "./ec.ts";
import { ed25519FromSeed } from "./ed25519.ts";
import { toBigInt } from "./integer.ts";
import { privateKeyObject } from "./key-object.ts";
import type { PrivateKey, RsaPrivateKey, RsaPublicKey } from "./keys.ts";
import { rsaKeyFlaw } from "./rsa-check.ts";
import { rsaKeyFromPrimes } from "./rsa-generate.ts";

/** PrivateKeyInfo, RFC 5208, as DER. */
export function privateKeyToPkcs8(key: PrivateKey): Uint8Array {
  return new Uint8Array(privateKeyObject(key).export({ type: "pkcs8", format: "der" }));
}

/** The key of an unencrypted PrivateKeyInfo; undefined when it is none, or of a kind that is not used here. */
export function privateKeyFromPkcs8(der: Uint8Array): PrivateKey | undefined {
  const jwk = isOneElement(der) ? readJwk(der) : undefined;
  if (jwk === undefined) return undefined;
  if (jwk.crv === "Ed25519") return ed25519FromSeed(field(jwk.d));
  if (jwk.crv === "P-256" || jwk.crv === "P-384") return ecKeyFromScalar(jwk.crv, field(jwk.d));
  return jwk.kty === "RSA" ? rsaKey(jwk) : undefined;
}

/** OpenSSL passes over what lies behind the key. The length stands in one octet, or in one or two behind its own count (X.690, 8.1.3). */
function isOneElement(der: Uint8Array): boolean {
  const from = new Reader(der);
  try {
    from.u8(); // the tag is OpenSSL's affair
    const first = from.u8();
    const size = first === 0x81 ? from.u8() : first === 0x82 ? from.u16be() : first;
    return size === from.remaining;
  } catch (error) {
    if (error instanceof CodecError) return false;
    throw error;
  }
}

/** The contents of the next element, whose length is right: OpenSSL has read it. */
function contents(from: Reader): Uint8Array {
  from.u8();
  const first = from.u8();
  return from.bytes(first === 0x81 ? from.u8() : first === 0x82 ? from.u16be() : first);
}

/** OpenSSL gives out a key that is listed as RSASSA-PSS (RFC 4055) in no other form: what counts here is its RSAPrivateKey. */
function unlisted(der: Uint8Array): KeyObject {
  const info = new Reader(contents(new Reader(der)));
  contents(info); // version
  contents(info); // privateKeyAlgorithm
  return createPrivateKey({ key: Buffer.from(contents(info)), format: "der", type: "pkcs1" });
}

function readJwk(der: Uint8Array): JsonWebKey | undefined {
  try {
    const object: KeyObject = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
    object.export({ format: "der", type: "pkcs8" }); // refuses a scalar that is too long for its curve, which ends Node 20 in the next step
    const plain = object.asymmetricKeyType === "rsa-pss" ? unlisted(der) : object;
    return plain.export({ format: "jwk" });
  } catch {
    return undefined; // not a PrivateKeyInfo, or of a kind that JWK has no form for
  }
}

/** Everything but n, e and the primes is computed anew: a file whose numbers contradict each other is not a key. */
function rsaKey(jwk: JsonWebKey): RsaPrivateKey | undefined {
  const [n, p, q] = [field(jwk.n), field(jwk.p), field(jwk.q)];
  const key: RsaPublicKey = { type: "rsa", n, e: Number(toBigInt(field(jwk.e))) };
  const half = n.byteLength / 2;
  if (rsaKeyFlaw(key) !== undefined || p.byteLength !== half || q.byteLength !== half) return undefined;
  const whole = rsaKeyFromPrimes(toBigInt(p), toBigInt(q), key.e, 8 * n.byteLength);
  return whole !== undefined && equal(whole.n, n) ? whole : undefined;
}

function field(text: string | undefined): Uint8Array {
  return new Uint8Array(Buffer.from(text ?? "", "base64url"));
}
