/** TPMS_CAPABILITY_DATA, Part 2, 10.10: what TPM2_GetCapability answers. */
import { type Infer, list, struct, tagged, u16be, u32be } from "../bytes/index.ts";
import { TpmCap, TpmLimit } from "./constants.ts";
import { TpmtHaOrNull } from "./hash.ts";
import { TpmlPcrSelection, TpmsTaggedPcrSelect } from "./pcr-selection.ts";

/** MAX_CAP_DATA of a 1024-byte buffer, Part 2, 6.13, for items of the given size. */
const most = (itemBytes: number): number => Math.floor((1024 - 8) / itemBytes);

/** TPMS_ALG_PROPERTY, Part 2, 10.8.1. */
const TpmsAlgProperty = struct("TPMS_ALG_PROPERTY", { alg: u16be, algProperties: u32be });

/** TPMS_TAGGED_PROPERTY, Part 2, 10.8.2. */
const TpmsTaggedProperty = struct("TPMS_TAGGED_PROPERTY", { property: u32be, value: u32be });

/** TPMS_TAGGED_POLICY, Part 2, 10.8.4. */
const TpmsTaggedPolicy = struct("TPMS_TAGGED_POLICY", { handle: u32be, policyHash: TpmtHaOrNull });

/** TPMS_CAPABILITY_DATA, Part 2, 10.10.2. A command list holds TPMA_CC: the command code is the low 16 bits. */
export const TpmsCapabilityData = tagged("TPMS_CAPABILITY_DATA", "capability", u32be, {
  [TpmCap.ALGS]: { data: list(u32be, TpmsAlgProperty, most(6)) },
  [TpmCap.HANDLES]: { data: list(u32be, u32be, most(4)) },
  [TpmCap.COMMANDS]: { data: list(u32be, u32be, most(4)) },
  [TpmCap.PP_COMMANDS]: { data: list(u32be, u32be, most(4)) },
  [TpmCap.AUDIT_COMMANDS]: { data: list(u32be, u32be, most(4)) },
  [TpmCap.PCRS]: { data: TpmlPcrSelection },
  [TpmCap.TPM_PROPERTIES]: { data: list(u32be, TpmsTaggedProperty, most(8)) },
  [TpmCap.PCR_PROPERTIES]: { data: list(u32be, TpmsTaggedPcrSelect, most(8)) },
  [TpmCap.ECC_CURVES]: { data: list(u32be, u16be, most(2)) },
  [TpmCap.AUTH_POLICIES]: { data: list(u32be, TpmsTaggedPolicy, TpmLimit.BANKS) },
});
export type TpmsCapabilityData = Infer<typeof TpmsCapabilityData>;
