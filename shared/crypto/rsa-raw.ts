import { constants, privateDecrypt, publicEncrypt } from "node:crypto";
import { privateKeyObject, publicKeyObject } from "./key-object.ts";
import type { RsaPrivateKey, RsaPublicKey } from "./keys.ts";

const padding = constants.RSA_NO_PADDING;

/** RSAEP and RSAVP1, RFC 8017 5.1.1: `block` as long as the modulus; undefined when it is not below the modulus or the key is none. */
export function rsaPublic(key: RsaPublicKey, block: Uint8Array): Uint8Array | undefined {
  const object = publicKeyObject(key);
  if (object === undefined || block.byteLength !== key.n.byteLength) return undefined;
  try {
    return new Uint8Array(publicEncrypt({ key: object, padding }, block));
  } catch {
    return undefined; // not below the modulus
  }
}

/** RSADP and RSASP1, RFC 8017 5.1.2; undefined when the block is not below the modulus. */
export function rsaPrivate(key: RsaPrivateKey, block: Uint8Array): Uint8Array | undefined {
  if (block.byteLength !== key.n.byteLength) return undefined;
  try {
    return new Uint8Array(privateDecrypt({ key: privateKeyObject(key), padding }, block));
  } catch {
    return undefined; // not below the modulus
  }
}
