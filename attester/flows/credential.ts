import { TpmCc, TpmError, TpmRc } from "../../shared/tpm/index.ts";

/** Everything but a TPM that asks for patience: a seed that does not decrypt comes out as TPM_RC_FAILURE of that command alone. */
export function isRefusedCredential(error: unknown): error is TpmError {
  return error instanceof TpmError && error.commandCode === TpmCc.ActivateCredential && error.base !== TpmRc.LOCKOUT;
}
