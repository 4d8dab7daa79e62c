/** Public areas that keys are made from. */
import { TpmaObjectBit as Bit } from "./attributes.ts";
import { TpmAlg, TpmEccCurve } from "./constants.ts";
import type { TpmtPublicEcc, TpmtPublicRsa } from "./public.ts";
import { NULL_SCHEME, NULL_SYMMETRIC } from "./schemes.ts";

/** PolicySecret(TPM_RH_ENDORSEMENT) with SHA-256: TCG EK Credential Profile, B.3.2. */
export const EK_POLICY = Uint8Array.of(
  0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
  0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
); // biome-ignore format: two rows of sixteen

const AES_128_CFB = { algorithm: TpmAlg.AES, keyBits: 128, mode: TpmAlg.CFB } as const;
const NONE = new Uint8Array(0);

const EK_ATTRIBUTES =
  Bit.FIXED_TPM | Bit.FIXED_PARENT | Bit.SENSITIVE_DATA_ORIGIN | Bit.ADMIN_WITH_POLICY | Bit.RESTRICTED | Bit.DECRYPT;

const AIK_ATTRIBUTES =
  Bit.FIXED_TPM | Bit.FIXED_PARENT | Bit.SENSITIVE_DATA_ORIGIN | Bit.USER_WITH_AUTH | Bit.NO_DA | Bit.SIGN;

/** Template L-1, RSA 2048: TCG EK Credential Profile, B.3.3. */
export const ekRsa: TpmtPublicRsa = {
  type: TpmAlg.RSA,
  nameAlg: TpmAlg.SHA256,
  objectAttributes: EK_ATTRIBUTES,
  authPolicy: EK_POLICY,
  parameters: { symmetric: AES_128_CFB, scheme: NULL_SCHEME, keyBits: 2048, exponent: 0 },
  unique: new Uint8Array(256),
};

/** Template L-2, ECC NIST P-256: TCG EK Credential Profile, B.3.4. */
export const ekEcc: TpmtPublicEcc = {
  type: TpmAlg.ECC,
  nameAlg: TpmAlg.SHA256,
  objectAttributes: EK_ATTRIBUTES,
  authPolicy: EK_POLICY,
  parameters: { symmetric: AES_128_CFB, scheme: NULL_SCHEME, curveID: TpmEccCurve.NIST_P256, kdf: NULL_SCHEME },
  unique: { x: new Uint8Array(32), y: new Uint8Array(32) },
};

/** The reference attester's AIK, 0x00060472: not restricted, so that it also signs a forged TPMS_ATTEST. */
export const aikReference: TpmtPublicRsa = {
  type: TpmAlg.RSA,
  nameAlg: TpmAlg.SHA256,
  objectAttributes: AIK_ATTRIBUTES | Bit.DECRYPT,
  authPolicy: NONE,
  parameters: { symmetric: NULL_SYMMETRIC, scheme: NULL_SCHEME, keyBits: 2048, exponent: 0 },
  unique: NONE,
};

/** Restricted RSA attestation key, 0x00050472, RSASSA with SHA-256. */
export const aikRestrictedRsa: TpmtPublicRsa = {
  ...aikReference,
  objectAttributes: AIK_ATTRIBUTES | Bit.RESTRICTED,
  parameters: {
    symmetric: NULL_SYMMETRIC,
    scheme: { scheme: TpmAlg.RSASSA, hashAlg: TpmAlg.SHA256 },
    keyBits: 2048,
    exponent: 0,
  },
};

/** Restricted P-256 attestation key, 0x00050472, ECDSA with SHA-256. */
export const aikRestrictedEcc: TpmtPublicEcc = {
  type: TpmAlg.ECC,
  nameAlg: TpmAlg.SHA256,
  objectAttributes: AIK_ATTRIBUTES | Bit.RESTRICTED,
  authPolicy: NONE,
  parameters: {
    symmetric: NULL_SYMMETRIC,
    scheme: { scheme: TpmAlg.ECDSA, hashAlg: TpmAlg.SHA256 },
    curveID: TpmEccCurve.NIST_P256,
    kdf: NULL_SCHEME,
  },
  unique: { x: NONE, y: NONE },
};
