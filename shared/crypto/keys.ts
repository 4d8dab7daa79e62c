/** Key material as plain data. Big integers are unsigned big-endian bytes without leading zeros unless a size is given. */

export type HashName = "sha1" | "sha256" | "sha384" | "sha512";

export type CurveName = "P-256" | "P-384";

export interface RsaPublicKey {
  readonly type: "rsa";
  /** Modulus, exactly bits/8 bytes. */
  readonly n: Uint8Array;
  /** Public exponent. */
  readonly e: number;
}

export interface EcPublicKey {
  readonly type: "ec";
  readonly curve: CurveName;
  /** Affine coordinates, each exactly as long as the field (32 or 48 bytes). */
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

export interface Ed25519PublicKey {
  readonly type: "ed25519";
  /** 32 bytes, RFC 8032. */
  readonly key: Uint8Array;
}

export type PublicKey = RsaPublicKey | EcPublicKey | Ed25519PublicKey;

export interface RsaPrivateKey extends RsaPublicKey {
  readonly d: Uint8Array;
  readonly p: Uint8Array;
  readonly q: Uint8Array;
  readonly dp: Uint8Array;
  readonly dq: Uint8Array;
  readonly qi: Uint8Array;
}

export interface EcPrivateKey extends EcPublicKey {
  /** Scalar, as long as the field. */
  readonly d: Uint8Array;
}

export interface Ed25519PrivateKey extends Ed25519PublicKey {
  /** 32 bytes, RFC 8032. */
  readonly seed: Uint8Array;
}

export type PrivateKey = RsaPrivateKey | EcPrivateKey | Ed25519PrivateKey;

/** ECDSA signature: two scalars, each as long as the field. */
export interface EcdsaSignature {
  readonly r: Uint8Array;
  readonly s: Uint8Array;
}
