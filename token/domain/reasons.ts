import type { EvidenceReason } from "../../shared/protocol/index.ts";
import type { ChainRefusal } from "../../shared/x509/index.ts";

/** Why the token is not provisioned by what an owner sent. */
export const tokenRefusals = {
  "no-owner-root": "no owner root certificate is configured",
  "owner-silent": "the owner's server did not answer",
  "owner-answer-malformed": "the owner's answer is not what the protocol says",
  "owner-refused": "the owner's server refused",
  "owner-chain": "the owner's certificate chain is not acceptable",
  "token-certificate": "the certificate made for this token is not acceptable",
  "foreign-key": "the certificate is for another key than this token's",
  "storage-full": "the token's storage is full",
} as const;
export type TokenRefusal = keyof typeof tokenRefusals;

/** Why a platform is not enrolled. */
export const enrolmentRefusals = {
  "attester-silent": "the computer did not answer",
  "attester-refused": "the computer answered with an error",
  "answer-malformed": "the computer's answer is not what the protocol says",
  "no-ek-root": "no root certificate of a TPM vendor is configured",
  "ek-chain": "the TPM's EK certificate does not lead to a trusted vendor",
  "ek-unsupported": "the EK is of a kind that credentials cannot be made for",
  "aik-malformed": "the AIK is not a TPM public area",
  "aik-unrestricted": "the AIK is not restricted, so evidence could be forged with it",
  "aik-unsupported": "the AIK is not the kind of key that this profile accepts",
  "credential-not-activated": "the TPM did not prove that AIK and EK are its own",
  "metadata-malformed": "the metadata is not what the protocol says",
  "metadata-signature": "the metadata is not signed by the AIK",
  "rim-malformed": "the reference values are not what the protocol says",
  "rim-signature": "the reference values are not signed by the AIK",
  "rim-incomplete": "the reference values do not cover the appraisal policy",
  "no-dynamic-launch": "PCR 17 and 18 show that no dynamic launch happened",
  "platform-known": "this platform is already enrolled",
  "enrolment-closed": "the token enrols no further platform",
  "storage-full": "the token's storage is full",
} as const;
export type EnrolmentRefusal = keyof typeof enrolmentRefusals;

/** Why a platform is enrolled without its event log. */
export const logRefusals = {
  "log-signature": "the log is not signed by the AIK",
  "log-malformed": "the log is not what the protocol says",
  "log-mismatch": "the log does not replay to the reference values",
  "log-too-long": "the log is longer than the token keeps",
  "storage-full": "the token's storage has no room for the log",
} as const;
export type LogRefusal = keyof typeof logRefusals;

/** What may be wrong with evidence; the words travel in explanations. */
const evidenceRefusals = {
  "aik-unrestricted": "the AIK on record is not restricted, so evidence could be forged with it",
  "evidence-malformed": "the evidence is not what the protocol says",
  "evidence-signature": "the evidence is not signed by the AIK of this platform",
  "not-a-quote": "what was signed is not a quote made by the TPM",
  "nonce-mismatch": "the quote answers another nonce",
  "tpm-clock-unsafe":
    "the TPM lost power without an orderly shutdown and does not vouch for its clock yet; try again in some seconds",
  "pcr-selection": "the quote covers other PCRs than the policy asks for",
  "pcr-mismatch": "the PCRs are not as recorded",
  "no-dynamic-launch": "no dynamic launch happened",
  "loader-changed": "the loader is not as recorded",
  "bootloader-data-changed": "the boot loader's data is not as recorded",
  "kernel-changed": "the kernel is not as recorded",
  "boot-parameters-changed": "the boot parameters are not as recorded",
  "command-line-changed": "the kernel's command line is not as recorded",
  "initrd-changed": "the initrd is not as recorded",
  "firmware-changed": "what the firmware measured is not as recorded",
} as const satisfies Record<EvidenceReason, string>;

/** Why an attestation is not trusted. */
export const appraisalRefusals = {
  "attester-silent": "the computer did not answer",
  "attester-refused": "the computer answered with an error",
  "answer-malformed": "the computer's answer is not what the protocol says",
  "unknown-platform": "this platform is not enrolled",
  "metadata-signature": "the metadata is not freshly signed by the AIK of this platform",
  ...evidenceRefusals,
} as const;
export type AppraisalRefusal = keyof typeof appraisalRefusals;

/** A refusal as a value: the reason for programs, the detail for people. */
export interface Refused<R extends string> {
  readonly ok: false;
  readonly reason: R;
  readonly detail?: string | undefined;
  /** Where a certificate chain was the cause. */
  readonly chain?: ChainRefusal | undefined;
}

export interface Accepted<T> {
  readonly ok: true;
  readonly value: T;
}

export type Outcome<T, R extends string> = Accepted<T> | Refused<R>;

export function accept<T>(value: T): Accepted<T> {
  return { ok: true, value };
}

export function refuse<R extends string>(reason: R, detail?: string, chain?: ChainRefusal): Refused<R> {
  return { ok: false, reason, detail, chain };
}
