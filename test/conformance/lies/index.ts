import { attestationLies } from "./attestation.ts";
import type { LieTable } from "./lie-table.ts";
import { logLies } from "./logs.ts";
import { protocolLies } from "./protocol.ts";
import { provisioningLies } from "./provisioning.ts";

/** Every row's lies. */
export const lies: LieTable = new Map([...provisioningLies, ...attestationLies, ...logLies, ...protocolLies]);
