/** Key material as plain data. Big integers are unsigned big-endian bytes without leading zeros unless a size is given. */

export type HashName = "sha1" | "sha256" | "sha384" | "sha512";

/** The curves that keys are made on here: TPMs', owners'. */
export type CurveName = "P-256" | "P-384";

/** The curves that signatures are verified on: CAs of TPM vendors have P-521, too. */
export type PublicCurveName = CurveName | "P-521";

export interface RsaPublicKey {
  readonly type: "rsa";
  /** Modulus, exactly bits/8 bytes. */
  readonly n: Uint8Array;
  /** Public exponent. */
  readonly e: number;
}

export interface EcPublicKey {
  readonly type: "ec";
  readonly curve: PublicCurveName;
  /** Affine coordinates, each exactly as long as the field (32, 48 or 66 bytes). */
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

/** A key of a TPM. */
export interface TpmEcPublicKey extends EcPublicKey {
  readonly curve: CurveName;
}

export interface EcPrivateKey extends TpmEcPublicKey {
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
