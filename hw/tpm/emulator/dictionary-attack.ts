import { TpmRc } from "../../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";
import { refuse } from "./refusal.ts";
import { Orderly } from "./state.ts";

/** Dictionary attack protection: Part 1, 19.8. */

/** A power cut after a DA-protected authorization was used counts as a failed one: Part 1, 19.8.6. */
export function daStartup(tpm: Machine): void {
  const { lockout } = tpm.nv;
  if (lockout.lockoutRecovery === 0) lockout.authEnabled = 1;
  if (lockout.recoveryTime === 0 || lockout.failedTries >= lockout.maxTries) return;
  if (tpm.ram.previous === Orderly.DA_USED) lockout.failedTries++;
}

/** Forgets a failed try every recoveryTime seconds, and opens lockoutAuth again after lockoutRecovery seconds. */
export function daSelfHeal(tpm: Machine): void {
  const { nv, ram } = tpm;
  const since = (start: bigint) => Number((ram.time.time - start) / 1000n);
  const { recoveryTime, lockoutRecovery, failedTries } = nv.lockout;
  const seconds = since(ram.selfHealAt);
  if (failedTries > 0 && recoveryTime === 0) {
    nv.lockout.failedTries = 0; // the protection is switched off
    tpm.nvChanged();
  }
  if (failedTries > 0 && recoveryTime > 0 && seconds >= recoveryTime) {
    const forgotten = Math.floor(seconds / recoveryTime);
    nv.lockout.failedTries = Math.max(0, Math.min(failedTries, nv.lockout.maxTries) - forgotten);
    ram.selfHealAt += BigInt(forgotten * recoveryTime) * 1000n;
    tpm.nvChanged();
  }
  if (nv.lockout.authEnabled === 0 && lockoutRecovery > 0 && since(ram.lockoutHealAt) >= lockoutRecovery) {
    nv.lockout.authEnabled = 1;
    tpm.nvChanged();
  }
}

/**
 * Before a DA-protected authValue is used, that of the lockout hierarchy or another: refuses in lockout, and once in a power cycle with
 * RETRY while it takes note of the use.
 */
export function checkNotLocked(tpm: Machine, ofLockout: boolean): void {
  const { nv, ram } = tpm;
  if (ofLockout) {
    if (nv.lockout.authEnabled === 0) refuse(TpmRc.LOCKOUT);
    return;
  }
  if (nv.lockout.failedTries >= nv.lockout.maxTries) refuse(TpmRc.LOCKOUT);
  if (ram.daUsed) return;
  ram.daUsed = true;
  nv.orderly = Orderly.DA_USED;
  tpm.nvChanged();
  refuse(TpmRc.RETRY);
}

/** Counts a wrong authValue, that of the lockout hierarchy or another's, and refuses. */
export function failAuthorization(tpm: Machine, whose: "lockout" | "entity"): never {
  const { lockout } = tpm.nv;
  if (whose === "lockout") {
    lockout.authEnabled = 0;
    tpm.ram.lockoutHealAt = tpm.ram.time.time;
  } else {
    if (lockout.recoveryTime !== 0) lockout.failedTries++;
    tpm.ram.selfHealAt = tpm.ram.time.time;
  }
  tpm.nvChanged();
  refuse(TpmRc.AUTH_FAIL);
}
