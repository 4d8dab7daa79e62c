import { TpmSpecError } from "../../hw/tpm/spec.ts";
import { CodecError } from "../../shared/bytes/index.ts";
import { TpmError, TpmPlatformError, TpmUnreachable } from "../../shared/tpm/index.ts";
import { IdentityError } from "../flows/index.ts";
import { PlatformError, ProfileError } from "../platform/index.ts";
import { ForeignKeyError, NvTooLargeError, PcrsChangingError, TpmBusyError } from "../tpm/index.ts";
import { Exit, Stop } from "./exit.ts";

const refusals = [
  PlatformError,
  IdentityError,
  ForeignKeyError,
  TpmPlatformError,
  NvTooLargeError,
  PcrsChangingError,
  TpmBusyError,
];

/** Errors with a sentence for people, and the exit code that belongs to each. What is none of these is a bug. */
export function stopFor(error: unknown): unknown {
  if (error instanceof TpmUnreachable) return new Stop(Exit.Unreached, error.message, { cause: error });
  if (error instanceof TpmSpecError || error instanceof ProfileError) {
    return new Stop(Exit.Usage, error.message, { cause: error });
  }
  if (refusals.some((kind) => error instanceof kind) && error instanceof Error) {
    return new Stop(Exit.Refused, error.message, { cause: error });
  }
  if (error instanceof TpmError) {
    return new Stop(Exit.Refused, `the TPM refuses ${error.message}`, { cause: error });
  }
  // What a peer sends is judged where it is read; what comes this far is the TPM's, and says so by its path.
  if (error instanceof CodecError) return new Stop(Exit.Refused, `malformed: ${error.message}`, { cause: error });
  return error;
}
