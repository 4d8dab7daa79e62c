import { decode, encode, Reader, u64be } from "../../../shared/bytes/index.ts";
import { TpmaNvBit as Bit, TpmRc, TpmRh, TpmsNvPublic } from "../../../shared/tpm/index.ts";
import type { NvIndex } from "./entity.ts";
import type { Machine } from "./machine.ts";
import { refuse } from "./refusal.ts";
import { Orderly } from "./state.ts";

/** NV indices: Part 1, 37. */

/** TPM_NT: bits 4 to 7 of the attributes (Part 2, 13.2). */
export const NvType = { ORDINARY: 0, COUNTER: 1, BITS: 2, EXTEND: 4 } as const;
/** Bytes of a counter and of a bit field. */
export const WORD_BYTES = 8;
/** TPM_PT_ORDERLY_COUNT. */
const ORDERLY_COUNT = 0xffn;

export const has = (attributes: number, bits: number): boolean => (attributes & bits) !== 0;

export function nvTypeOf(attributes: number): number {
  return (attributes >>> 4) & 0xf;
}

/** Owner and platform need their attribute; the index itself was checked when it authorized (Part 3, 31.1). */
export function checkAuthorizedBy(
  by: number,
  index: number,
  attributes: number,
  ownerBit: number,
  platformBit: number,
): void {
  const allowed =
    by === TpmRh.OWNER
      ? has(attributes, ownerBit)
      : by === TpmRh.PLATFORM
        ? has(attributes, platformBit)
        : by === index;
  if (!allowed) refuse(TpmRc.NV_AUTHORIZATION);
}

export function store(tpm: Machine, { publicArea, auth, data }: NvIndex): void {
  tpm.nv.indices.set(publicArea.nvIndex, { publicArea: encode(TpmsNvPublic, publicArea), auth, data });
  tpm.nvChanged();
}

/** The content is new, and the index is written from now on. */
export function storeWritten(tpm: Machine, index: NvIndex, data: Uint8Array): void {
  const { publicArea } = index;
  const attributes = (publicArea.attributes | Bit.WRITTEN) >>> 0;
  if (has(attributes, Bit.ORDERLY)) tpm.noLongerOrderly(); // what TPM2_Shutdown wrote of it holds no longer
  store(tpm, { ...index, data, publicArea: { ...publicArea, attributes } });
}

/** Counters never run back, not even one that is deleted and defined anew: Part 1, 37.2.4.1. */
export function rememberCounter(tpm: Machine, { publicArea: { attributes }, data }: NvIndex): void {
  if (nvTypeOf(attributes) !== NvType.COUNTER || !has(attributes, Bit.WRITTEN)) return;
  const value = new Reader(data).u64be();
  if (value > tpm.nv.maxCounter) tpm.nv.maxCounter = value;
}

/** What TPM2_Startup does to the indices; `clear` for TPM Reset and TPM Restart: Part 1, 37.7. */
export function startIndices({ nv, ram: { previous } }: Machine, clear: boolean): void {
  for (const [handle, record] of nv.indices) {
    const publicArea = decode(TpmsNvPublic, record.publicArea);
    const attributes = startAttributes(publicArea.attributes, clear, previous);
    const shutDown = previous === Orderly.CLEAR || previous === Orderly.STATE;
    const lost = !shutDown && has(attributes, Bit.ORDERLY) && has(attributes, Bit.WRITTEN) && isCounter(attributes);
    nv.indices.set(handle, {
      ...record,
      data: lost ? afterLostCounts(record.data) : record.data,
      publicArea: encode(TpmsNvPublic, { ...publicArea, attributes }),
    });
  }
}

/** TPM Reset ends what orderly indices hold, after TPM2_Shutdown too (libtpms); counters stay. */
function startAttributes(before: number, clear: boolean, previous: Orderly): number {
  let attributes = before;
  if (clear) {
    attributes &= ~Bit.READLOCKED;
    if (!has(attributes, Bit.WRITTEN) || !has(attributes, Bit.WRITEDEFINE)) attributes &= ~Bit.WRITELOCKED;
    if (has(attributes, Bit.CLEAR_STCLEAR)) attributes &= ~Bit.WRITTEN;
  }
  const reset = previous !== Orderly.STATE;
  if (reset && has(attributes, Bit.ORDERLY) && !isCounter(attributes)) attributes &= ~Bit.WRITTEN;
  return attributes >>> 0;
}

const isCounter = (attributes: number): boolean => nvTypeOf(attributes) === NvType.COUNTER;

/** A TPM writes counts of an orderly counter to NV every ORDERLY_COUNT + 1 only: those that may be lost are skipped. */
function afterLostCounts(data: Uint8Array): Uint8Array {
  return encode(u64be, new Reader(data).u64be() | ORDERLY_COUNT);
}
