/** Symmetric algorithms, signing, encryption and key derivation schemes: Part 2, 11.1 and 11.2. */
import { type Infer, tagged, u16be } from "../bytes/index.ts";
import { TpmAlg } from "./constants.ts";

/** TPMS_SCHEME_HASH, Part 2, 11.1.20: the one field that most schemes have. */
const hashScheme = { hashAlg: u16be } as const;
/** TPMS_SCHEME_ECDAA, Part 2, 11.1.21. */
const ecdaaScheme = { hashAlg: u16be, count: u16be } as const;

/** TPMT_SYM_DEF_OBJECT, Part 2, 11.1.7. */
export const TpmtSymDefObject = tagged("TPMT_SYM_DEF_OBJECT", "algorithm", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.AES]: { keyBits: u16be, mode: u16be },
});
export type TpmtSymDefObject = Infer<typeof TpmtSymDefObject>;

/** TPMT_SYM_DEF, Part 2, 11.1.6: as above, or XOR obfuscation, which has a hash and no mode. */
export const TpmtSymDef = tagged("TPMT_SYM_DEF", "algorithm", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.AES]: { keyBits: u16be, mode: u16be },
  [TpmAlg.XOR]: hashScheme,
});
export type TpmtSymDef = Infer<typeof TpmtSymDef>;

/** TPMT_KEYEDHASH_SCHEME, Part 2, 11.1.23. */
export const TpmtKeyedHashScheme = tagged("TPMT_KEYEDHASH_SCHEME", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.HMAC]: hashScheme,
  [TpmAlg.XOR]: { hashAlg: u16be, kdf: u16be },
});

/** TPMT_SIG_SCHEME, Part 2, 11.2.1.5. */
export const TpmtSigScheme = tagged("TPMT_SIG_SCHEME", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.HMAC]: hashScheme,
  [TpmAlg.RSASSA]: hashScheme,
  [TpmAlg.RSAPSS]: hashScheme,
  [TpmAlg.ECDSA]: hashScheme,
  [TpmAlg.ECDAA]: ecdaaScheme,
  [TpmAlg.SM2]: hashScheme,
  [TpmAlg.ECSCHNORR]: hashScheme,
});
export type TpmtSigScheme = Infer<typeof TpmtSigScheme>;

/** TPMT_KDF_SCHEME, Part 2, 11.2.3.3. */
export const TpmtKdfScheme = tagged("TPMT_KDF_SCHEME", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.MGF1]: hashScheme,
  [TpmAlg.KDF1_SP800_56A]: hashScheme,
  [TpmAlg.KDF2]: hashScheme,
  [TpmAlg.KDF1_SP800_108]: hashScheme,
});

/** TPMT_RSA_SCHEME, Part 2, 11.2.4.2. */
export const TpmtRsaScheme = tagged("TPMT_RSA_SCHEME", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.RSASSA]: hashScheme,
  [TpmAlg.RSAPSS]: hashScheme,
  [TpmAlg.RSAES]: {},
  [TpmAlg.OAEP]: hashScheme,
});
export type TpmtRsaScheme = Infer<typeof TpmtRsaScheme>;

/** TPMT_RSA_DECRYPT, Part 2, 11.2.4.4. */
export const TpmtRsaDecrypt = tagged("TPMT_RSA_DECRYPT", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.RSAES]: {},
  [TpmAlg.OAEP]: hashScheme,
});

/** TPMT_ECC_SCHEME, Part 2, 11.2.5.6. */
export const TpmtEccScheme = tagged("TPMT_ECC_SCHEME", "scheme", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.ECDSA]: hashScheme,
  [TpmAlg.ECDH]: hashScheme,
  [TpmAlg.ECDAA]: ecdaaScheme,
  [TpmAlg.SM2]: hashScheme,
  [TpmAlg.ECSCHNORR]: hashScheme,
});
export type TpmtEccScheme = Infer<typeof TpmtEccScheme>;

/** The scheme parameter that leaves the choice to the key. */
export const NULL_SCHEME = { scheme: TpmAlg.NULL } as const;
/** No symmetric algorithm. */
export const NULL_SYMMETRIC = { algorithm: TpmAlg.NULL } as const;
