/** TPMT_SIGNATURE, Part 2, 11.3. */
import { type Infer, tagged, u16be } from "../bytes/index.ts";
import { Tpm2bEccParameter, Tpm2bPublicKeyRsa } from "./buffers.ts";
import { TpmAlg } from "./constants.ts";
import { TpmtHa } from "./hash.ts";

/** TPMS_SIGNATURE_RSA, Part 2, 11.3.1. */
const rsa = { hash: u16be, sig: Tpm2bPublicKeyRsa } as const;
/** TPMS_SIGNATURE_ECC, Part 2, 11.3.2. */
const ecc = { hash: u16be, signatureR: Tpm2bEccParameter, signatureS: Tpm2bEccParameter } as const;

/** TPMT_SIGNATURE, Part 2, 11.3.4. */
export const TpmtSignature = tagged("TPMT_SIGNATURE", "sigAlg", u16be, {
  [TpmAlg.NULL]: {},
  [TpmAlg.HMAC]: { hmac: TpmtHa },
  [TpmAlg.RSASSA]: rsa,
  [TpmAlg.RSAPSS]: rsa,
  [TpmAlg.ECDSA]: ecc,
  [TpmAlg.ECDAA]: ecc,
  [TpmAlg.SM2]: ecc,
  [TpmAlg.ECSCHNORR]: ecc,
});
export type TpmtSignature = Infer<typeof TpmtSignature>;
