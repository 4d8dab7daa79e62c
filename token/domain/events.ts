import type { LogDifference } from "../../shared/protocol/index.ts";
import type { AppraisalRefusal, EnrolmentRefusal, LogRefusal, TokenRefusal } from "./reasons.ts";

/** A platform as events and listings name it. */
export interface PlatformSummary {
  /** SHA-256 over the metadata bytes, lower-case hex. */
  readonly id: string;
  readonly manufacturer: string;
  readonly productName: string;
  readonly serialNumber: string;
}

export interface Trusted {
  readonly trusted: true;
  readonly platform: PlatformSummary;
}

export interface NotTrusted {
  readonly trusted: false;
  readonly reason: AppraisalRefusal;
  readonly detail?: string | undefined;
  /** Absent while the platform is not known. */
  readonly platform?: PlatformSummary | undefined;
  /** Only where PCRs are the reason, and only when values that hash to the quoted digest are known: the PCRs that differ. */
  readonly pcrs?: readonly number[] | undefined;
  /** Only when logs explain the quoted digest: the first event that is not as enrolled. */
  readonly difference?: LogDifference | undefined;
}

/** The Verifier's decision on one attestation. */
export type Verdict = Trusted | NotTrusted;

/** What happened in the token's domain; lamps, log and programs learn it from here. */
export type TokenEvent =
  | { readonly type: "attached" }
  | { readonly type: "detached" }
  | { readonly type: "token-provisioned"; readonly deviceId: string }
  | { readonly type: "token-refused"; readonly reason: TokenRefusal; readonly detail?: string | undefined }
  | { readonly type: "platform-provisioned"; readonly platform: PlatformSummary }
  | { readonly type: "platform-refused"; readonly reason: EnrolmentRefusal; readonly detail?: string | undefined }
  /** API v1: the platform is enrolled, or will be, without its event log. */
  | { readonly type: "log-refused"; readonly reason: LogRefusal; readonly detail?: string | undefined }
  | { readonly type: "attested"; readonly verdict: Trusted }
  | { readonly type: "attestation-failed"; readonly verdict: NotTrusted }
  /** API v1: an attestation that was refused before there was evidence. */
  | {
      readonly type: "attestation-refused";
      readonly reason: AppraisalRefusal;
      readonly detail?: string | undefined;
      readonly platform?: PlatformSummary | undefined;
    }
  /** API v1: after `attestation-failed`, the peer's values explain the quote; the verdict names the PCRs. */
  | { readonly type: "attestation-explained"; readonly verdict: NotTrusted }
  /** API v1: so many attested sessions live now. */
  | { readonly type: "attested-sessions"; readonly count: number }
  /** The owner or who holds the token removed a platform with its files. */
  | { readonly type: "platform-removed"; readonly platform: PlatformSummary }
  | { readonly type: "wiped" };
