/** Sensitive areas and what protects them: Part 2, 11.1.15, 12.3 and 12.4. */
import { type Codec, type Infer, rest, struct, tagged, u16be } from "../bytes/index.ts";
import {
  Tpm2bAuth,
  Tpm2bDigest,
  Tpm2bEccParameter,
  Tpm2bPrivateKeyRsa,
  Tpm2bSensitiveData,
  Tpm2bSymKey,
} from "./buffers.ts";
import { TpmAlg } from "./constants.ts";
import { tpm2bOf } from "./tpm2b.ts";

/** TPMS_SENSITIVE_CREATE, Part 2, 11.1.15. */
const TpmsSensitiveCreate = struct("TPMS_SENSITIVE_CREATE", { userAuth: Tpm2bAuth, data: Tpm2bSensitiveData });

/** TPM2B_SENSITIVE_CREATE, Part 2, 11.1.16. */
export const Tpm2bSensitiveCreate = tpm2bOf(TpmsSensitiveCreate, 512);

const common = { authValue: Tpm2bAuth, seedValue: Tpm2bDigest } as const;

/** TPMT_SENSITIVE, Part 2, 12.3.2.4. */
export const TpmtSensitive = tagged("TPMT_SENSITIVE", "sensitiveType", u16be, {
  [TpmAlg.RSA]: { ...common, sensitive: Tpm2bPrivateKeyRsa },
  [TpmAlg.ECC]: { ...common, sensitive: Tpm2bEccParameter },
  [TpmAlg.KEYEDHASH]: { ...common, sensitive: Tpm2bSensitiveData },
  [TpmAlg.SYMCIPHER]: { ...common, sensitive: Tpm2bSymKey },
});
export type TpmtSensitive = Infer<typeof TpmtSensitive>;

/** TPM2B_SENSITIVE, Part 2, 12.3.3. */
export const Tpm2bSensitive = tpm2bOf(TpmtSensitive, 2048);

/** TPM2B_SENSITIVE of TPM2_LoadExternal: empty for a public area alone (Part 3, 12.3). */
export const Tpm2bOptionalSensitive = tpm2bOf(emptyOr(TpmtSensitive), 2048);

function emptyOr<T>(inner: Codec<T>): Codec<T | undefined> {
  return {
    read: (from) => (from.remaining === 0 ? undefined : inner.read(from)),
    write(to, value) {
      if (value !== undefined) inner.write(to, value);
    },
  };
}

/** TPMS_ID_OBJECT, Part 2, 12.4.2. `encIdentity` is the encrypted TPM2B_DIGEST, its size included, without a size in front. */
export const TpmsIdObject = struct("TPMS_ID_OBJECT", { integrityHMAC: Tpm2bDigest, encIdentity: rest });
