/**
 * TPM2B_*, the sized buffers of Part 2: a 16-bit size, then the bytes. Those that hold a structure (TPM2B_PUBLIC, ...) stand with it.
 * The value is the content without its size.
 */
import { oneOf, u8 } from "../bytes/index.ts";
import { TpmLimit } from "./constants.ts";
import { tpm2b } from "./tpm2b.ts";

const MAX_DIGEST = 64;
const MAX_RSA_BYTES = 512;
const MAX_ECC_BYTES = 66;

/** TPMI_YES_NO, Part 2, 9.2. */
export const TpmiYesNo = oneOf(u8, [0, 1]);

/** TPM2B_DIGEST, Part 2, 10.4.2. */
export const Tpm2bDigest = tpm2b(MAX_DIGEST);
/** TPM2B_DATA, Part 2, 10.4.3. */
export const Tpm2bData = tpm2b(TpmLimit.DATA);
/** TPM2B_NONCE, Part 2, 10.4.4. */
export const Tpm2bNonce = tpm2b(MAX_DIGEST);
/** TPM2B_AUTH, Part 2, 10.4.5. */
export const Tpm2bAuth = tpm2b(MAX_DIGEST);
/** TPM2B_EVENT, Part 2, 10.4.7. */
export const Tpm2bEvent = tpm2b(1024);
/** TPM2B_MAX_BUFFER, Part 2, 10.4.8. */
export const Tpm2bMaxBuffer = tpm2b(TpmLimit.DIGEST_BUFFER);
/** TPM2B_MAX_NV_BUFFER, Part 2, 10.4.9. */
export const Tpm2bMaxNvBuffer = tpm2b(TpmLimit.NV_BUFFER);
/** TPM2B_TIMEOUT, Part 2, 10.4.10. */
export const Tpm2bTimeout = tpm2b(8);
/** TPM2B_NAME, Part 2, 10.5.3: empty, a 4-byte handle, or a name algorithm and a digest. */
export const Tpm2bName = tpm2b(TpmLimit.DATA);
/** TPM2B_ATTEST, Part 2, 10.12.13: the bytes that are signed; decode them as TPMS_ATTEST. */
export const Tpm2bAttest = tpm2b(1024);
/** TPM2B_SENSITIVE_DATA, Part 2, 11.1.14: MAX_SYM_DATA. */
export const Tpm2bSensitiveData = tpm2b(128);
/** TPM2B_PUBLIC_KEY_RSA, Part 2, 11.2.4.5: a modulus, an RSA signature or ciphertext. */
export const Tpm2bPublicKeyRsa = tpm2b(MAX_RSA_BYTES);
/** TPM2B_PRIVATE_KEY_RSA, Part 2, 11.2.4.7: one prime, or all five factors. */
export const Tpm2bPrivateKeyRsa = tpm2b((MAX_RSA_BYTES / 2) * 5);
/** TPM2B_ECC_PARAMETER, Part 2, 11.2.5.1. */
export const Tpm2bEccParameter = tpm2b(MAX_ECC_BYTES);
/** TPM2B_SYM_KEY, Part 2, 11.1.8. */
export const Tpm2bSymKey = tpm2b(32);
/** TPM2B_ENCRYPTED_SECRET, Part 2, 11.4.3: an RSA ciphertext, or a TPMS_ECC_POINT. */
export const Tpm2bEncryptedSecret = tpm2b(MAX_RSA_BYTES);
/** TPM2B_PRIVATE, Part 2, 12.3.7: sealed by its parent, opaque to everybody else. */
export const Tpm2bPrivate = tpm2b(2048);
/** TPM2B_ID_OBJECT, Part 2, 12.4.3: its content is a TPMS_ID_OBJECT. */
export const Tpm2bIdObject = tpm2b(2 + 2 * MAX_DIGEST + 4);
/** TPM2B_CONTEXT_DATA, Part 2, 14.4. */
export const Tpm2bContextData = tpm2b(TpmLimit.MESSAGE);
