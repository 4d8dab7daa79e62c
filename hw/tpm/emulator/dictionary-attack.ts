import { TpmRc, TpmRh } from "../../../shared/tpm/index.ts";
import { isDaProtected } from "./entity.ts";
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
  const seconds = Number((ram.time.time - ram.selfHealAt) / 1000n);
  const { recoveryTime, lockoutRecovery, failedTries } = nv.lockout;
  if (failedTries > 0 && recoveryTime > 0 && seconds >= recoveryTime) {
    const forgotten = Math.floor(seconds / recoveryTime);
    nv.lockout.failedTries = Math.max(0, failedTries - forgotten);
    ram.selfHealAt += BigInt(forgotten * recoveryTime) * 1000n;
    tpm.nvChanged();
  }
  if (nv.lockout.authEnabled === 0 && lockoutRecovery > 0 && seconds >= lockoutRecovery) {
    nv.lockout.authEnabled = 1;
    tpm.nvChanged();
  }
}

/** Before the authValue of `handle` is used: refuses in lockout, and once in a power cycle with RETRY while it takes note of the use. */
export function checkLockedOut(tpm: Machine, handle: number): void {
  if (!isDaProtected(tpm, handle)) return;
  const { nv, ram } = tpm;
  if (handle === TpmRh.LOCKOUT) {
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

/** Counts a wrong authValue for `handle` and refuses: AUTH_FAIL where it counts, BAD_AUTH where not. */
export function failAuthorization(tpm: Machine, handle: number): never {
  if (!isDaProtected(tpm, handle)) refuse(TpmRc.BAD_AUTH);
  const { lockout } = tpm.nv;
  if (handle === TpmRh.LOCKOUT) lockout.authEnabled = 0;
  else if (lockout.recoveryTime !== 0) lockout.failedTries++;
  tpm.ram.selfHealAt = tpm.ram.time.time;
  tpm.nvChanged();
  refuse(TpmRc.AUTH_FAIL);
}
