import { createPrivateKey, type KeyObject } from "node:crypto";
import { ecKeyFromScalar } from "./ec.ts";
import { ed25519FromSeed } from "./ed25519.ts";
import { toBigInt } from "./integer.ts";
import { privateKeyObject } from "./key-object.ts";
import type { PrivateKey } from "./keys.ts";
import { rsaKeyFromPrimes } from "./rsa-generate.ts";

/** PrivateKeyInfo, RFC 5208, as DER. */
export function privateKeyToPkcs8(key: PrivateKey): Uint8Array {
  return new Uint8Array(privateKeyObject(key).export({ type: "pkcs8", format: "der" }));
}

/** The key of an unencrypted PrivateKeyInfo; undefined when it is none, or of a kind that is not used here. */
export function privateKeyFromPkcs8(der: Uint8Array): PrivateKey | undefined {
  let object: KeyObject;
  try {
    object = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  } catch {
    return undefined; // not a PrivateKeyInfo
  }
  const jwk = object.export({ format: "jwk" });
  if (object.asymmetricKeyType === "ed25519") return ed25519FromSeed(field(jwk["d"]));
  if (jwk["crv"] === "P-256" || jwk["crv"] === "P-384") return ecKeyFromScalar(jwk["crv"], field(jwk["d"]));
  if (object.asymmetricKeyType !== "rsa") return undefined;
  const bits = object.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < 1024 || bits % 16 !== 0) return undefined;
  const e = Number(toBigInt(field(jwk["e"])));
  return rsaKeyFromPrimes(toBigInt(field(jwk["p"])), toBigInt(field(jwk["q"])), e, bits);
}

function field(text: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(typeof text === "string" ? text : "", "base64url"));
}
