import { TpmAlg } from "../tpm/index.ts";

/** Appraisal policy: which PCRs of which bank a quote must cover, exactly. */
export interface PolicyBank {
  /** TPM_ALG_ID of the bank. */
  readonly algorithm: number;
  /** Bit n is PCR n. */
  readonly mask: number;
}

/** PCR 0 to 7, 17 and 18 of the SHA-256 bank: firmware, and what was launched. */
export const DEFAULT_POLICY: readonly PolicyBank[] = [{ algorithm: TpmAlg.SHA256, mask: 0x0006_00ff }];

/** The PCRs that a dynamic launch resets and fills. */
export const DRTM_PCRS: readonly number[] = [17, 18];
