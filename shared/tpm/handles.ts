/** Handles: Part 2, chapter 7, and those that Fobnail's programs and the TCG profiles agree on. */

/** TPM_HT, Part 2, 7.2: the most significant byte of a handle. */
export const TpmHt = {
  PCR: 0x00,
  NV_INDEX: 0x01,
  /** HMAC_SESSION; as a range of TPM2_GetCapability(HANDLES) LOADED_SESSION. */
  HMAC_SESSION: 0x02,
  /** POLICY_SESSION; as a range of TPM2_GetCapability(HANDLES) SAVED_SESSION. */
  POLICY_SESSION: 0x03,
  PERMANENT: 0x40,
  TRANSIENT: 0x80,
  PERSISTENT: 0x81,
} as const;

/** TPM_RH and TPM_RS, Part 2, 7.4. */
export const TpmRh = {
  OWNER: 0x40000001,
  NULL: 0x40000007,
  /** TPM_RS_PW: the password session. */
  PW: 0x40000009,
  LOCKOUT: 0x4000000a,
  ENDORSEMENT: 0x4000000b,
  PLATFORM: 0x4000000c,
  PLATFORM_NV: 0x4000000d,
} as const;

export function handleType(handle: number): number {
  return handle >>> 24;
}

/** The first handle of a type: where TPM2_GetCapability(HANDLES) starts to list. */
export function firstHandle(type: number): number {
  return type * 0x0100_0000;
}

/** Persistent handles of the reference attester (RSA EK, AIK) and of ours (the rest). */
export const FobnailHandle = {
  AIK_REFERENCE: 0x8100f0ba,
  AIK_RESTRICTED_RSA: 0x8100f0bb,
  AIK_RESTRICTED_ECC: 0x8100f0bc,
  EK_RSA: 0x8100f0be,
  EK_ECC: 0x8100f0bf,
} as const;

/** NV indices of EK certificates, TCG EK Credential Profile, 2.2.1.4 and 2.2.1.5. */
export const EkCertificateIndex = {
  RSA_2048: 0x01c00002,
  ECC_P256: 0x01c0000a,
  ECC_P384: 0x01c00016,
  RSA_3072: 0x01c0001c,
} as const;
