/** TPMS_CONTEXT, Part 2, 14.5. The blob is sealed by the TPM that made it. */
import { type Infer, struct, u32be, u64be } from "../bytes/index.ts";
import { Tpm2bContextData } from "./buffers.ts";

export const TpmsContext = struct("TPMS_CONTEXT", {
  sequence: u64be,
  savedHandle: u32be,
  hierarchy: u32be,
  contextBlob: Tpm2bContextData,
});
export type TpmsContext = Infer<typeof TpmsContext>;
