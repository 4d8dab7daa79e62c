/** Selections of PCRs: Part 2, 10.6 and 10.9.7. */
import { type Infer, list, mapped, sized, struct, u8, u16be, u32be } from "../bytes/index.ts";
import { Tpm2bDigest } from "./buffers.ts";
import { TpmLimit } from "./constants.ts";

const SELECT_BYTES = TpmLimit.PCRS / 8;

function toMask(bitmap: Uint8Array): number {
  let mask = 0;
  for (let i = 0; i < bitmap.byteLength; i++) mask |= (bitmap[i] ?? 0) << (8 * i);
  return mask;
}

function toBitmap(mask: number): Uint8Array {
  if (!Number.isInteger(mask) || mask < 0 || mask >= 2 ** TpmLimit.PCRS) {
    throw new RangeError(`0x${mask.toString(16)} is no mask of ${TpmLimit.PCRS} PCRs`);
  }
  const bitmap = new Uint8Array(SELECT_BYTES);
  for (let i = 0; i < SELECT_BYTES; i++) bitmap[i] = mask >>> (8 * i); // the low 8 bits
  return bitmap;
}

/**
 * sizeofSelect and pcrSelect: the TPM wants exactly three bytes (PC Client PTP), anything else is TPM_RC_VALUE.
 * The value is a mask: bit n is PCR n.
 */
const PcrSelect = mapped(sized(u8, SELECT_BYTES, SELECT_BYTES), toMask, toBitmap);

/** TPMS_PCR_SELECTION, Part 2, 10.6.2. */
const TpmsPcrSelection = struct("TPMS_PCR_SELECTION", { hash: u16be, pcrSelect: PcrSelect });

/** TPML_PCR_SELECTION, Part 2, 10.9.7. */
export const TpmlPcrSelection = list(u32be, TpmsPcrSelection, TpmLimit.BANKS);
export type TpmlPcrSelection = Infer<typeof TpmlPcrSelection>;

/** TPML_DIGEST, Part 2, 10.9.3. */
export const TpmlDigest = list(u32be, Tpm2bDigest, TpmLimit.DIGESTS);
/** TPML_DIGEST of TPM2_PolicyOR: Part 3, 23.6 wants two at least. */
export const TpmlBranches = list(u32be, Tpm2bDigest, TpmLimit.DIGESTS, 2);

/** TPMS_TAGGED_PCR_SELECT, Part 2, 10.8.3. */
export const TpmsTaggedPcrSelect = struct("TPMS_TAGGED_PCR_SELECT", { tag: u32be, pcrSelect: PcrSelect });
