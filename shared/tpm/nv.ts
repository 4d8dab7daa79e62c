/** TPMS_NV_PUBLIC, Part 2, 13.5. */
import { type Infer, struct, u16be, u32be } from "../bytes/index.ts";
import { TpmaNv } from "./attributes.ts";
import { Tpm2bDigest } from "./buffers.ts";
import { tpm2bOf } from "./tpm2b.ts";

export const TpmsNvPublic = struct("TPMS_NV_PUBLIC", {
  nvIndex: u32be,
  nameAlg: u16be,
  attributes: TpmaNv,
  authPolicy: Tpm2bDigest,
  dataSize: u16be,
});
export type TpmsNvPublic = Infer<typeof TpmsNvPublic>;

/** TPM2B_NV_PUBLIC, Part 2, 13.6. */
export const Tpm2bNvPublic = tpm2bOf(TpmsNvPublic, 128);
