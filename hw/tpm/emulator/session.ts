import { digestSize, type HashName } from "../../../shared/crypto/index.ts";
import type { TpmtSymDef } from "../../../shared/tpm/index.ts";

/** An authorization session, Part 1, 19.6. */
export interface Session {
  readonly handle: number;
  readonly kind: "hmac" | "policy" | "trial";
  readonly hash: HashName;
  readonly sessionKey: Uint8Array;
  /** What parameters are encrypted with: Part 1, 21. */
  readonly symmetric: TpmtSymDef;
  /** Name and authValue of the entity that an HMAC session is bound to; an audit session is bound no longer (Part 1, 19.6.12). */
  boundEntity: Uint8Array | undefined;
  /** Started with a DA-protected entity: wrong HMACs count, whatever the session is used for. */
  readonly daBound: "no" | "entity" | "lockout";
  nonceTpm: Uint8Array;
  policy: PolicyState;
  /** Of an audit session, Part 1, 17.3; undefined while the session was not used as one. */
  auditDigest: Uint8Array | undefined;
  /** TPM time in ms at the start, or at the last use as authorization. */
  startTime: bigint;
  /** Whether `startTime` and the policy's timeout are times of this power cycle: time begins anew with each. */
  ofThisCycle: boolean;
}

/** What the policy commands have gathered: Part 1, 19.7. */
export interface PolicyState {
  digest: Uint8Array;
  /** Empty: none. */
  cpHash: Uint8Array;
  /** TPM time in ms; undefined: never. */
  timeout: bigint | undefined;
  /** TPM_CC that the policy is limited to. */
  commandCode: number | undefined;
  /** pcrUpdateCounter at TPM2_PolicyPCR: a change of a PCR since then voids the policy. */
  pcrCounter: number | undefined;
  /** What the session proves of the entity's authValue: nothing, its knowledge by HMAC, or the value itself. */
  authValue: "none" | "hmac" | "password";
}

/** A policy session as it starts, and as it is again after each use. */
export function newPolicyState(hash: HashName): PolicyState {
  return {
    digest: new Uint8Array(digestSize(hash)),
    cpHash: new Uint8Array(0),
    timeout: undefined,
    commandCode: undefined,
    pcrCounter: undefined,
    authValue: "none",
  };
}

/** Policies that expire do so at the latest when the power goes. `now` is TPM time, as `timeout`. */
export function hasExpired({ ofThisCycle }: Session, timeout: bigint | undefined, now: bigint): boolean {
  return timeout !== undefined && (timeout < now || !ofThisCycle);
}
