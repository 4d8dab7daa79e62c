import { commands, TpmaNvBit, TpmRc, TpmRh } from "../../../../shared/tpm/index.ts";
import { indexAt, withoutTrailingZeros } from "../entity.ts";
import { handler } from "../handler.ts";
import { has, rememberCounter } from "../nv-index.ts";
import { refuse } from "../refusal.ts";
import { clearHierarchies } from "../state.ts";

/** Part 3, 24 and 25: hierarchies and dictionary attacks. */

/** Whoever owned the TPM leaves no trace but the EKs: Part 1, 13.7.1. */
const clear = handler(commands.Clear, { handles: ["clear"], nv: true }, ({ tpm }) => {
  if (tpm.nv.disableClear === 1) refuse(TpmRc.DISABLED);
  for (const handle of tpm.nv.indices.keys()) {
    const index = indexAt(tpm, handle);
    if (!has(index.publicArea.attributes, TpmaNvBit.PLATFORMCREATE)) rememberCounter(tpm, index);
  }
  clearHierarchies(tpm.nv, tpm.random);
  tpm.ram.objects.removeOf([TpmRh.OWNER, TpmRh.ENDORSEMENT]);
  tpm.ram.pcrs.clearAuthorizations();
  tpm.ram.time.restart();
  tpm.noLongerOrderly();
  tpm.nvChanged();
  return { response: {} };
});

/** The lockout hierarchy may forbid TPM2_Clear, and only the platform allow it again. */
const clearControl = handler(
  commands.ClearControl,
  { handles: ["clear"], nv: true },
  ({ tpm, handle, parameters: { disable } }) => {
    if (handle(0) === TpmRh.LOCKOUT && disable === 0) refuse(TpmRc.AUTH_FAIL);
    tpm.nv.disableClear = disable;
    tpm.nvChanged();
    return { response: {} };
  },
);

const changeAuth = handler(
  commands.HierarchyChangeAuth,
  { handles: ["hierarchyAuth"], nv: true },
  ({ tpm, handle, parameters: { newAuth } }) => {
    const { nv, ram } = tpm;
    const auth = withoutTrailingZeros(newAuth).slice();
    switch (handle(0)) {
      case TpmRh.OWNER:
        nv.owner = { ...nv.owner, auth };
        break;
      case TpmRh.ENDORSEMENT:
        nv.endorsement = { ...nv.endorsement, auth };
        break;
      case TpmRh.LOCKOUT:
        nv.lockoutAuth = auth;
        break;
      default:
        ram.platformAuth = auth;
        tpm.noLongerOrderly();
    }
    tpm.nvChanged();
    return { response: {} };
  },
);

const lockReset = handler(commands.DictionaryAttackLockReset, { handles: ["lockout"], nv: true }, ({ tpm }) => {
  tpm.nv.lockout.failedTries = 0;
  tpm.nvChanged();
  return { response: {} };
});

const lockParameters = handler(
  commands.DictionaryAttackParameters,
  { handles: ["lockout"], nv: true },
  ({ tpm, parameters: { newMaxTries, newRecoveryTime, lockoutRecovery } }) => {
    const { lockout } = tpm.nv;
    lockout.maxTries = newMaxTries;
    lockout.recoveryTime = newRecoveryTime;
    lockout.lockoutRecovery = lockoutRecovery;
    tpm.nvChanged();
    return { response: {} };
  },
);

export const hierarchyCommands = [clear, clearControl, changeAuth, lockReset, lockParameters] as const;
