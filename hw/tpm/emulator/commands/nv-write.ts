import { encode, Reader, u64be } from "../../../../shared/bytes/index.ts";
import { digest } from "../../../../shared/crypto/index.ts";
import { TpmaNvBit as Bit, commands, hashNameOf, TpmRc } from "../../../../shared/tpm/index.ts";
import { indexAt, type NvIndex } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { checkAuthorizedBy, has, NvType, nvTypeOf, storeWritten } from "../nv-index.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";
import { MAX_BUFFER } from "./nv.ts";

/** Part 3, 31.7 to 31.10: writing to NV. */

const WRITES = { handles: ["nvAuth", "nvIndex"], nv: true } as const;
/** What erased memory reads as; orderly indices are in RAM, which begins as zeros. */
const ERASED = 0xff;

/** The index behind the second handle, which the first one may write. */
function writableAt(tpm: Machine, by: number, at: number): NvIndex {
  const index = indexAt(tpm, at);
  const { attributes } = index.publicArea;
  if (has(attributes, Bit.WRITELOCKED)) refuse(TpmRc.NV_LOCKED);
  checkAuthorizedBy(by, at, attributes, Bit.OWNERWRITE, Bit.PPWRITE);
  return index;
}

function checkType({ publicArea }: NvIndex, type: number): void {
  if (nvTypeOf(publicArea.attributes) !== type) refuse(TpmRc.ATTRIBUTES, blameHandle(2));
}

const isWritten = ({ publicArea }: NvIndex) => has(publicArea.attributes, Bit.WRITTEN);

/** TPM2B_MAX_NV_BUFFER. */
function isBuffer(data: Uint8Array): void {
  if (data.byteLength > MAX_BUFFER) refuse(TpmRc.SIZE);
}

const write = handler(
  commands.NV_Write,
  { ...WRITES, values: { data: isBuffer } },
  ({ tpm, handle, parameters: { data, offset } }) => {
    const index = writableAt(tpm, handle(0), handle(1));
    const { attributes, dataSize } = index.publicArea;
    if (nvTypeOf(attributes) !== NvType.ORDINARY) refuse(TpmRc.ATTRIBUTES);
    if (offset > dataSize) refuse(TpmRc.VALUE, parameter(2));
    if (data.byteLength > dataSize - offset) refuse(TpmRc.NV_RANGE);
    if (has(attributes, Bit.WRITEALL) && data.byteLength < dataSize) refuse(TpmRc.NV_RANGE);
    const content = isWritten(index)
      ? index.data.slice()
      : new Uint8Array(dataSize).fill(has(attributes, Bit.ORDERLY) ? 0 : ERASED);
    content.set(data, offset);
    storeWritten(tpm, index, content);
    return { response: {} };
  },
);

const increment = handler(commands.NV_Increment, WRITES, ({ tpm, handle }) => {
  const index = writableAt(tpm, handle(0), handle(1));
  checkType(index, NvType.COUNTER);
  const value = isWritten(index) ? new Reader(index.data).u64be() : tpm.nv.maxCounter;
  storeWritten(tpm, index, encode(u64be, BigInt.asUintN(64, value + 1n)));
  return { response: {} };
});

const extend = handler(
  commands.NV_Extend,
  { ...WRITES, values: { data: isBuffer } },
  ({ tpm, handle, parameters: { data } }) => {
    const index = writableAt(tpm, handle(0), handle(1));
    checkType(index, NvType.EXTEND);
    const hash = hashNameOf(index.publicArea.nameAlg);
    if (hash === undefined) throw new RangeError("an index with an unknown name algorithm was defined");
    const old = isWritten(index) ? index.data : new Uint8Array(index.publicArea.dataSize);
    storeWritten(tpm, index, digest(hash, old, data));
    return { response: {} };
  },
);

const setBits = handler(commands.NV_SetBits, WRITES, ({ tpm, handle, parameters: { bits } }) => {
  const index = writableAt(tpm, handle(0), handle(1));
  checkType(index, NvType.BITS);
  const old = isWritten(index) ? new Reader(index.data).u64be() : 0n;
  storeWritten(tpm, index, encode(u64be, old | bits));
  return { response: {} };
});

export const nvWriteCommands = [write, increment, extend, setBits] as const;
