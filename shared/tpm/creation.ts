/** Creation data and tickets: Part 2, 10.7 and 15. */
import { constant, type Infer, oneOf, struct, u16be, u32be } from "../bytes/index.ts";
import { TpmaLocality } from "./attributes.ts";
import { Tpm2bData, Tpm2bDigest, Tpm2bName } from "./buffers.ts";
import { TpmSt } from "./constants.ts";
import { TpmlPcrSelection } from "./pcr-selection.ts";
import { tpm2bOf } from "./tpm2b.ts";

/** TPMS_CREATION_DATA, Part 2, 15.1. */
export const TpmsCreationData = struct("TPMS_CREATION_DATA", {
  pcrSelect: TpmlPcrSelection,
  pcrDigest: Tpm2bDigest,
  locality: TpmaLocality,
  parentNameAlg: u16be,
  parentName: Tpm2bName,
  parentQualifiedName: Tpm2bName,
  outsideInfo: Tpm2bData,
});
export type TpmsCreationData = Infer<typeof TpmsCreationData>;

/** TPM2B_CREATION_DATA, Part 2, 15.2. */
export const Tpm2bCreationData = tpm2bOf(TpmsCreationData, 1024);

/** TPMT_TK_CREATION, Part 2, 10.7.3. */
export const TpmtTkCreation = struct("TPMT_TK_CREATION", {
  tag: constant(u16be, TpmSt.CREATION),
  hierarchy: u32be,
  digest: Tpm2bDigest,
});
export type TpmtTkCreation = Infer<typeof TpmtTkCreation>;

/** TPMT_TK_AUTH, Part 2, 10.7.5. */
export const TpmtTkAuth = struct("TPMT_TK_AUTH", {
  tag: oneOf(u16be, [TpmSt.AUTH_SECRET, TpmSt.AUTH_SIGNED]),
  hierarchy: u32be,
  digest: Tpm2bDigest,
});

/** TPMT_TK_VERIFIED, Part 2, 10.7.4: the TPM itself verified a signature. */
export const TpmtTkVerified = struct("TPMT_TK_VERIFIED", {
  tag: constant(u16be, TpmSt.VERIFIED),
  hierarchy: u32be,
  digest: Tpm2bDigest,
});
export type TpmtTkVerified = Infer<typeof TpmtTkVerified>;

/** TPMT_TK_HASHCHECK, Part 2, 10.7.6: the TPM itself made the digest, of data that does not begin with TPM_GENERATED_VALUE. */
export const TpmtTkHashcheck = struct("TPMT_TK_HASHCHECK", {
  tag: constant(u16be, TpmSt.HASHCHECK),
  hierarchy: u32be,
  digest: Tpm2bDigest,
});
export type TpmtTkHashcheck = Infer<typeof TpmtTkHashcheck>;
