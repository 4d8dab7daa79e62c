import { digestSize } from "../../../../shared/crypto/index.ts";
import {
  TpmaNvBit as Bit,
  commands,
  handleType,
  nameOfNv,
  TpmHt,
  TpmRc,
  TpmRh,
  type TpmsNvPublic,
} from "../../../../shared/tpm/index.ts";
import { indexAt, withoutTrailingZeros } from "../entity.ts";
import { handler } from "../handler.ts";
import { checkAuthorizedBy, has, NvType, nvTypeOf, rememberCounter, store, WORD_BYTES } from "../nv-index.ts";
import { handle as blameHandle, parameter, refuse } from "../refusal.ts";
import { NvLimit } from "../state.ts";
import { hashOf } from "./checks.ts";

/** Part 3, 31: non-volatile storage. */

/** TPM_PT_NV_BUFFER_MAX. */
export const MAX_BUFFER = 1024;

const READS = Bit.PPREAD | Bit.OWNERREAD | Bit.AUTHREAD | Bit.POLICYREAD;
const WRITES = Bit.PPWRITE | Bit.OWNERWRITE | Bit.AUTHWRITE | Bit.POLICYWRITE;
/** State that only the TPM sets. */
const STATE = Bit.WRITELOCKED | Bit.READLOCKED | Bit.WRITTEN;

/** TPMS_NV_PUBLIC. */
function isNvPublic({ nvIndex, nameAlg, dataSize }: TpmsNvPublic): void {
  if (handleType(nvIndex) !== TpmHt.NV_INDEX) refuse(TpmRc.VALUE);
  hashOf(nameAlg);
  if (dataSize > NvLimit.INDEX_BYTES) refuse(TpmRc.SIZE);
}

const define = handler(
  commands.NV_DefineSpace,
  { handles: ["provision"], nv: true, values: { publicInfo: isNvPublic } },
  ({ tpm, handle, parameters: { auth, publicInfo } }) => {
    const { nvIndex, attributes, authPolicy, dataSize } = publicInfo;
    const hash = hashOf(publicInfo.nameAlg);
    if (authPolicy.byteLength !== 0 && authPolicy.byteLength !== digestSize(hash)) refuse(TpmRc.SIZE, parameter(2));
    if (withoutTrailingZeros(auth).byteLength > digestSize(hash)) refuse(TpmRc.SIZE, parameter(1));
    checkNewAttributes(attributes);
    checkDataSize(nvTypeOf(attributes), dataSize, digestSize(hash));
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
  const type = nvTypeOf(attributes);
  const known: readonly number[] = Object.values(NvType);
  const contradictory =
    (has(attributes, Bit.CLEAR_STCLEAR) && (type === NvType.COUNTER || has(attributes, Bit.WRITEDEFINE))) ||
    (has(attributes, Bit.WRITEALL) && type !== NvType.ORDINARY);
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
    type === NvType.ORDINARY
      ? dataSize <= NvLimit.INDEX_BYTES
      : type === NvType.EXTEND
        ? dataSize === hashBytes
        : dataSize === WORD_BYTES;
  if (!fits) refuse(TpmRc.SIZE, parameter(2));
}

const undefine = handler(
  commands.NV_UndefineSpace,
  { handles: ["provision", "nvIndex"], nv: true },
  ({ tpm, handle }) => {
    const { attributes } = indexAt(tpm, handle(1)).publicArea;
    if (has(attributes, Bit.POLICY_DELETE)) refuse(TpmRc.ATTRIBUTES, blameHandle(2));
    if (handle(0) === TpmRh.OWNER && has(attributes, Bit.PLATFORMCREATE)) refuse(TpmRc.NV_AUTHORIZATION);
    rememberCounter(tpm, indexAt(tpm, handle(1)));
    tpm.nv.indices.delete(handle(1));
    tpm.nvChanged();
    return { response: {} };
  },
);

const readPublic = handler(commands.NV_ReadPublic, { handles: ["nvIndex"] }, ({ tpm, handle }) => {
  const nvPublic = indexAt(tpm, handle(0)).publicArea;
  return { response: { nvPublic, nvName: nameOfNv(nvPublic) } };
});

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

export const nvCommands = [define, undefine, readPublic, read] as const;
