/** What a TPM states about itself: Part 2, 10.12. */
import { type Codec, constant, type Infer, inField, struct, tagged, u16be, u32be, u64be } from "../bytes/index.ts";
import { Tpm2bData, Tpm2bDigest, Tpm2bMaxNvBuffer, Tpm2bName, TpmiYesNo } from "./buffers.ts";
import { TpmsClockInfo, TpmsTimeInfo } from "./clock.ts";
import { TPM_GENERATED_VALUE, TpmSt } from "./constants.ts";
import { TpmlPcrSelection } from "./pcr-selection.ts";

/** TPMS_TIME_ATTEST_INFO, Part 2, 10.12.2. */
const TpmsTimeAttestInfo = struct("TPMS_TIME_ATTEST_INFO", { time: TpmsTimeInfo, firmwareVersion: u64be });

/** TPMS_CERTIFY_INFO, Part 2, 10.12.3. */
const TpmsCertifyInfo = struct("TPMS_CERTIFY_INFO", { name: Tpm2bName, qualifiedName: Tpm2bName });

/** TPMS_QUOTE_INFO, Part 2, 10.12.4. */
const TpmsQuoteInfo = struct("TPMS_QUOTE_INFO", { pcrSelect: TpmlPcrSelection, pcrDigest: Tpm2bDigest });

/** TPMS_COMMAND_AUDIT_INFO, Part 2, 10.12.5. */
const TpmsCommandAuditInfo = struct("TPMS_COMMAND_AUDIT_INFO", {
  auditCounter: u64be,
  digestAlg: u16be,
  auditDigest: Tpm2bDigest,
  commandDigest: Tpm2bDigest,
});

/** TPMS_SESSION_AUDIT_INFO, Part 2, 10.12.6. */
const TpmsSessionAuditInfo = struct("TPMS_SESSION_AUDIT_INFO", {
  exclusiveSession: TpmiYesNo,
  sessionDigest: Tpm2bDigest,
});

/** TPMS_CREATION_INFO, Part 2, 10.12.7. */
const TpmsCreationInfo = struct("TPMS_CREATION_INFO", { objectName: Tpm2bName, creationHash: Tpm2bDigest });

/** TPMS_NV_CERTIFY_INFO, Part 2, 10.12.8. */
const TpmsNvCertifyInfo = struct("TPMS_NV_CERTIFY_INFO", {
  indexName: Tpm2bName,
  offset: u16be,
  nvContents: Tpm2bMaxNvBuffer,
});

/** TPMS_NV_DIGEST_CERTIFY_INFO, Part 2, 10.12.9. */
const TpmsNvDigestCertifyInfo = struct("TPMS_NV_DIGEST_CERTIFY_INFO", {
  indexName: Tpm2bName,
  nvDigest: Tpm2bDigest,
});

const common = {
  qualifiedSigner: Tpm2bName,
  extraData: Tpm2bData,
  clockInfo: TpmsClockInfo,
  firmwareVersion: u64be,
} as const;

const body = tagged("TPMS_ATTEST", "type", u16be, {
  [TpmSt.ATTEST_NV]: { ...common, attested: TpmsNvCertifyInfo },
  [TpmSt.ATTEST_COMMAND_AUDIT]: { ...common, attested: TpmsCommandAuditInfo },
  [TpmSt.ATTEST_SESSION_AUDIT]: { ...common, attested: TpmsSessionAuditInfo },
  [TpmSt.ATTEST_CERTIFY]: { ...common, attested: TpmsCertifyInfo },
  [TpmSt.ATTEST_QUOTE]: { ...common, attested: TpmsQuoteInfo },
  [TpmSt.ATTEST_TIME]: { ...common, attested: TpmsTimeAttestInfo },
  [TpmSt.ATTEST_CREATION]: { ...common, attested: TpmsCreationInfo },
  [TpmSt.ATTEST_NV_DIGEST]: { ...common, attested: TpmsNvDigestCertifyInfo },
});

const magic = constant(u32be, TPM_GENERATED_VALUE);

/**
 * TPMS_ATTEST, Part 2, 10.12.12. `magic` is TPM_GENERATED_VALUE or the structure is malformed, so the value does not repeat it;
 * `type` (TpmSt.ATTEST_*) tells what `attested` is.
 */
export const TpmsAttest: Codec<Infer<typeof body>> = {
  read(from) {
    inField("TPMS_ATTEST", () => inField("magic", () => magic.read(from)));
    return body.read(from);
  },
  write(to, value) {
    magic.write(to, TPM_GENERATED_VALUE);
    body.write(to, value);
  },
};
export type TpmsAttest = Infer<typeof body>;
/** A TPMS_ATTEST of the type that TPM2_Quote makes. */
export type TpmsAttestQuote = Extract<TpmsAttest, { type: typeof TpmSt.ATTEST_QUOTE }>;
