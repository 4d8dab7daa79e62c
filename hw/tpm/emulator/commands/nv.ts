import { encode } from "../../../../shared/bytes/index.ts";
import { digestSize } from "../../../../shared/crypto/index.ts";
import {
  TpmaNvBit as Bit,
  commands,
  handleType,
  nameOfNv,
  TpmHt,
  TpmRc,
  TpmRh,
  TpmsNvPublic,
} from "../../../../shared/tpm/index.ts";
import { indexAt, type NvIndex, withoutTrailingZeros } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";
import { NvLimit } from "../state.ts";
import { checkHash } from "./checks.ts";

/** Part 3, 31: non-volatile storage. */

/** TPM_NT: bits 4 to 7 of the attributes (Part 2, 13.2), and how many bytes the data of each type has. */
const TYPE_SHIFT = 4;
const Type = { ORDINARY: 0, COUNTER: 1, BITS: 2, EXTEND: 4 } as const;
/** TPM_PT_NV_BUFFER_MAX. */
const MAX_BUFFER = 1024;
/** What erased memory reads as. */
const ERASED = 0xff;

const READS = Bit.PPREAD | Bit.OWNERREAD | Bit.AUTHREAD | Bit.POLICYREAD;
const WRITES = Bit.PPWRITE | Bit.OWNERWRITE | Bit.AUTHWRITE | Bit.POLICYWRITE;
/** State that only the TPM sets. */
const STATE = Bit.WRITELOCKED | Bit.READLOCKED | Bit.WRITTEN;

const has = (attributes: number, bits: number) => (attributes & bits) !== 0;

const define = handler(
  commands.NV_DefineSpace,
  { handles: ["provision"], nv: true },
  ({ tpm, handle, parameters: { auth, publicInfo } }) => {
    const { nvIndex, attributes, authPolicy, dataSize } = publicInfo;
    if (handleType(nvIndex) !== TpmHt.NV_INDEX) refuse(TpmRc.VALUE, parameter(2));
    const hash = checkHash(publicInfo.nameAlg, 2);
    if (authPolicy.byteLength !== 0 && authPolicy.byteLength !== digestSize(hash)) refuse(TpmRc.SIZE, parameter(2));
    if (withoutTrailingZeros(auth).byteLength > digestSize(hash)) refuse(TpmRc.SIZE, parameter(1));
    checkNewAttributes(attributes);
    checkDataSize((attributes >>> TYPE_SHIFT) & 0xf, dataSize, digestSize(hash));
    if (has(attributes, Bit.PLATFORMCREATE) !== (handle(0) === TpmRh.PLATFORM))
      refuse(TpmRc.ATTRIBUTES, blameHandle(1));
    if (has(attributes, Bit.POLICY_DELETE) && handle(0) !== TpmRh.PLATFORM) refuse(TpmRc.ATTRIBUTES, parameter(2));
    const { indices } = tpm.nv;
    if (indices.has(nvIndex)) refuse(TpmRc.NV_DEFINED);
    if (indices.size >= NvLimit.INDICES) refuse(TpmRc.NV_SPACE);
    store(tpm, { publicArea: publicInfo, auth: withoutTrailingZeros(auth).slice(), data: new Uint8Array(0) });
    return { response: {} };
  },
);

function checkNewAttributes(attributes: number): void {
  const type = (attributes >>> TYPE_SHIFT) & 0xf;
  const known: readonly number[] = Object.values(Type);
  const contradictory =
    (has(attributes, Bit.CLEAR_STCLEAR) && (type === Type.COUNTER || has(attributes, Bit.WRITEDEFINE))) ||
    (has(attributes, Bit.WRITEALL) && type !== Type.ORDINARY);
  if (
    !known.includes(type) ||
    has(attributes, STATE) ||
    contradictory ||
    !has(attributes, READS) ||
    !has(attributes, WRITES)
  ) {
    refuse(TpmRc.ATTRIBUTES, parameter(2));
  }
}

function checkDataSize(type: number, dataSize: number, hashBytes: number): void {
  const fits =
    type === Type.ORDINARY
      ? dataSize <= NvLimit.INDEX_BYTES
      : type === Type.EXTEND
        ? dataSize === hashBytes
        : dataSize === 8;
  if (!fits) refuse(TpmRc.SIZE, parameter(2));
}

const undefine = handler(
  commands.NV_UndefineSpace,
  { handles: ["provision", "nvIndex"], nv: true },
  ({ tpm, handle }) => {
    const { attributes } = indexAt(tpm, handle(1)).publicArea;
    if (has(attributes, Bit.POLICY_DELETE)) refuse(TpmRc.ATTRIBUTES, blameHandle(2));
    if (handle(0) === TpmRh.OWNER && has(attributes, Bit.PLATFORMCREATE)) refuse(TpmRc.NV_AUTHORIZATION);
    tpm.nv.indices.delete(handle(1));
    tpm.nvChanged();
    return { response: {} };
  },
);

const readPublic = handler(commands.NV_ReadPublic, { handles: ["nvIndex"] }, ({ tpm, handle }) => {
  const nvPublic = indexAt(tpm, handle(0)).publicArea;
  return { response: { nvPublic, nvName: nameOfNv(nvPublic) } };
});

const write = handler(
  commands.NV_Write,
  { handles: ["nvAuth", "nvIndex"], nv: true },
  ({ tpm, handle, parameters: { data, offset } }) => {
    if (data.byteLength > MAX_BUFFER) refuse(TpmRc.SIZE, parameter(1));
    const index = indexAt(tpm, handle(1));
    const { publicArea } = index;
    const { attributes, dataSize } = publicArea;
    if (has(attributes, Bit.WRITELOCKED)) refuse(TpmRc.NV_LOCKED);
    checkAuthorizedBy(handle(0), handle(1), attributes, Bit.OWNERWRITE, Bit.PPWRITE);
    if (((attributes >>> TYPE_SHIFT) & 0xf) !== Type.ORDINARY) refuse(TpmRc.ATTRIBUTES);
    if (offset > dataSize) refuse(TpmRc.VALUE, parameter(2));
    if (data.byteLength > dataSize - offset) refuse(TpmRc.NV_RANGE);
    if (has(attributes, Bit.WRITEALL) && data.byteLength < dataSize) refuse(TpmRc.NV_RANGE);
    const content = has(attributes, Bit.WRITTEN) ? index.data.slice() : new Uint8Array(dataSize).fill(ERASED);
    content.set(data, offset);
    store(tpm, {
      ...index,
      data: content,
      publicArea: { ...publicArea, attributes: (attributes | Bit.WRITTEN) >>> 0 },
    });
    return { response: {} };
  },
);

const read = handler(
  commands.NV_Read,
  { handles: ["nvAuth", "nvIndex"] },
  ({ tpm, handle, parameters: { size, offset } }) => {
    const { publicArea, data } = indexAt(tpm, handle(1));
    const { attributes, dataSize } = publicArea;
    if (has(attributes, Bit.READLOCKED)) refuse(TpmRc.NV_LOCKED);
    checkAuthorizedBy(handle(0), handle(1), attributes, Bit.OWNERREAD, Bit.PPREAD);
    if (!has(attributes, Bit.WRITTEN)) refuse(TpmRc.NV_UNINITIALIZED);
    if (size > MAX_BUFFER) refuse(TpmRc.VALUE, parameter(1));
    if (offset > dataSize) refuse(TpmRc.VALUE, parameter(2));
    if (size > dataSize - offset) refuse(TpmRc.NV_RANGE);
    return { response: { data: data.subarray(offset, offset + size) } };
  },
);

/** Owner and platform need their attribute; the index itself was checked when it authorized (Part 3, 31.1). */
function checkAuthorizedBy(by: number, index: number, attributes: number, ownerBit: number, platformBit: number): void {
  const allowed =
    by === TpmRh.OWNER
      ? has(attributes, ownerBit)
      : by === TpmRh.PLATFORM
        ? has(attributes, platformBit)
        : by === index;
  if (!allowed) refuse(TpmRc.NV_AUTHORIZATION);
}

function store(tpm: Machine, { publicArea, auth, data }: NvIndex): void {
  tpm.nv.indices.set(publicArea.nvIndex, { publicArea: encode(TpmsNvPublic, publicArea), auth, data });
  tpm.nvChanged();
}

export const nvCommands = [define, undefine, readPublic, write, read] as const;
