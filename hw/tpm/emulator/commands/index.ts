import type { Handler } from "../handler.ts";
import { attestationCommands } from "./attestation.ts";
import { capabilityCommand } from "./capability.ts";
import { clockCommands } from "./clock.ts";
import { contextCommands } from "./context.ts";
import { creationCommands } from "./creation.ts";
import { credentialCommands } from "./credential.ts";
import { evictCommands } from "./evict.ts";
import { hashCommands } from "./hash.ts";
import { hierarchyCommands } from "./hierarchy.ts";
import { nvCommands } from "./nv.ts";
import { nvWriteCommands } from "./nv-write.ts";
import { objectCommands } from "./object.ts";
import { pcrCommands } from "./pcr.ts";
import { policyCommands } from "./policy.ts";
import { sequenceCommands } from "./sequence.ts";
import { sessionCommands } from "./session.ts";
import { signatureCommands } from "./signature.ts";
import { startupCommands } from "./startup.ts";
import { testingCommands } from "./testing.ts";

/** Everything that the emulator implements; any other command code is TPM_RC_COMMAND_CODE. */
const handlers: readonly Handler[] = [
  ...startupCommands,
  ...sessionCommands,
  ...contextCommands,
  ...testingCommands,
  ...creationCommands,
  ...objectCommands,
  ...credentialCommands,
  ...hashCommands,
  ...sequenceCommands,
  ...attestationCommands,
  ...signatureCommands,
  ...pcrCommands,
  ...policyCommands((code) => byCode.has(code)),
  ...hierarchyCommands,
  ...evictCommands,
  ...clockCommands,
  capabilityCommand(() => attributes),
  ...nvCommands,
  ...nvWriteCommands,
].sort((a, b) => a.spec.code - b.spec.code);

const attributes: readonly number[] = handlers.map((one) => one.attributes);

const byCode: ReadonlyMap<number, Handler> = new Map(handlers.map((one) => [one.spec.code, one]));

export function handlerOf(commandCode: number): Handler | undefined {
  return byCode.get(commandCode);
}

export const implementedCommands: readonly string[] = handlers.map(({ spec }) => spec.name);
