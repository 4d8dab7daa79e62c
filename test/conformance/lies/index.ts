import { attestationLies } from "./attestation.ts";
import type { LieTable } from "./lie-table.ts";
import { provisioningLies } from "./provisioning.ts";
import { wireLies } from "./wire-rows.ts";

/** Every row's lies. */
export const lies: LieTable = new Map([...provisioningLies, ...attestationLies, ...wireLies]);
