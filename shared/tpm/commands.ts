/** The commands of TPM 2.0 Part 3 that the attester, the manufacturing and the emulator know. */
import type { AnyCommandSpec } from "./command-spec.ts";
import { digestsCommands } from "./commands/digests.ts";
import { managementCommands } from "./commands/management.ts";
import { nvCommands } from "./commands/nv.ts";
import { objectsCommands } from "./commands/objects.ts";
import { policyCommands } from "./commands/policy.ts";
import { signingCommands } from "./commands/signing.ts";
import { startupCommands } from "./commands/startup.ts";

export const commands = {
  ...startupCommands,
  ...objectsCommands,
  ...digestsCommands,
  ...signingCommands,
  ...policyCommands,
  ...managementCommands,
  ...nvCommands,
} as const;

const BY_CODE: ReadonlyMap<number, AnyCommandSpec> = new Map(Object.values(commands).map((spec) => [spec.code, spec]));

/** The entry of a command code; undefined when it is not among ours. */
export function commandByCode(code: number): AnyCommandSpec | undefined {
  return BY_CODE.get(code);
}
