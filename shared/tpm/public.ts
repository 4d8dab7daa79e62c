/** Public areas: Part 2, 11.2.5.2 and 12.2. */
import { type Infer, struct, tagged, u16be, u32be } from "../bytes/index.ts";
import { TpmaObject } from "./attributes.ts";
import { Tpm2bDigest, Tpm2bEccParameter, Tpm2bPublicKeyRsa } from "./buffers.ts";
import { TpmAlg } from "./constants.ts";
import { TpmtEccScheme, TpmtKdfScheme, TpmtKeyedHashScheme, TpmtRsaScheme, TpmtSymDefObject } from "./schemes.ts";
import { tpm2b, tpm2bOf } from "./tpm2b.ts";

const MAX_PUBLIC = 1024;

/** TPMS_ECC_POINT, Part 2, 11.2.5.2. */
export const TpmsEccPoint = struct("TPMS_ECC_POINT", { x: Tpm2bEccParameter, y: Tpm2bEccParameter });
export type TpmsEccPoint = Infer<typeof TpmsEccPoint>;

/** TPMS_RSA_PARMS, Part 2, 12.2.3.5. Exponent 0 stands for 65537. */
const TpmsRsaParms = struct("TPMS_RSA_PARMS", {
  symmetric: TpmtSymDefObject,
  scheme: TpmtRsaScheme,
  keyBits: u16be,
  exponent: u32be,
});

/** TPMS_ECC_PARMS, Part 2, 12.2.3.6. */
const TpmsEccParms = struct("TPMS_ECC_PARMS", {
  symmetric: TpmtSymDefObject,
  scheme: TpmtEccScheme,
  curveID: u16be,
  kdf: TpmtKdfScheme,
});

/** TPMS_KEYEDHASH_PARMS, Part 2, 12.2.3.3. */
const TpmsKeyedHashParms = struct("TPMS_KEYEDHASH_PARMS", { scheme: TpmtKeyedHashScheme });

/** TPMS_SYMCIPHER_PARMS, Part 2, 12.2.3.4. */
const TpmsSymCipherParms = struct("TPMS_SYMCIPHER_PARMS", { sym: TpmtSymDefObject });

const common = { nameAlg: u16be, objectAttributes: TpmaObject, authPolicy: Tpm2bDigest } as const;

/** TPMT_PUBLIC, Part 2, 12.2.4. */
export const TpmtPublic = tagged("TPMT_PUBLIC", "type", u16be, {
  [TpmAlg.RSA]: { ...common, parameters: TpmsRsaParms, unique: Tpm2bPublicKeyRsa },
  [TpmAlg.ECC]: { ...common, parameters: TpmsEccParms, unique: TpmsEccPoint },
  [TpmAlg.KEYEDHASH]: { ...common, parameters: TpmsKeyedHashParms, unique: Tpm2bDigest },
  [TpmAlg.SYMCIPHER]: { ...common, parameters: TpmsSymCipherParms, unique: Tpm2bDigest },
});
export type TpmtPublic = Infer<typeof TpmtPublic>;
export type TpmtPublicRsa = Extract<TpmtPublic, { type: typeof TpmAlg.RSA }>;
export type TpmtPublicEcc = Extract<TpmtPublic, { type: typeof TpmAlg.ECC }>;
export type TpmtPublicKeyedHash = Extract<TpmtPublic, { type: typeof TpmAlg.KEYEDHASH }>;

/** TPM2B_PUBLIC, Part 2, 12.2.5. */
export const Tpm2bPublic = tpm2bOf(TpmtPublic, MAX_PUBLIC);

/** TPM2B_TEMPLATE, Part 2, 12.2.6: bytes that one command takes as a TPMT_PUBLIC and another as labels. */
export const Tpm2bTemplate = tpm2b(MAX_PUBLIC);

/** TPMT_PUBLIC_PARMS, Part 2, 12.2.3.8. */
export const TpmtPublicParms = tagged("TPMT_PUBLIC_PARMS", "type", u16be, {
  [TpmAlg.RSA]: { parameters: TpmsRsaParms },
  [TpmAlg.ECC]: { parameters: TpmsEccParms },
  [TpmAlg.KEYEDHASH]: { parameters: TpmsKeyedHashParms },
  [TpmAlg.SYMCIPHER]: { parameters: TpmsSymCipherParms },
});
export type TpmtPublicParms = Infer<typeof TpmtPublicParms>;
