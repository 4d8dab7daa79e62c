import { createCipheriv, createDecipheriv } from "node:crypto";

const CIPHER = "aes-128-cfb"; // full-block feedback, SP 800-38A 6.3 with s = 128

/** AES-128 in CFB mode with 128-bit feedback; key and IV 16 bytes each, any data length. */
export function aesCfbEncrypt(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, iv);
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final()]));
}

export function aesCfbDecrypt(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createDecipheriv(CIPHER, key, iv);
  return new Uint8Array(Buffer.concat([cipher.update(data), cipher.final()]));
}
