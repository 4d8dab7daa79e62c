/** NV indices: read in pieces, and made for manufacturing. */
import { CodecError } from "../../shared/bytes/index.ts";
import {
  commands,
  TpmaNvBit,
  TpmCap,
  TpmError,
  TpmPt,
  TpmRc,
  TpmRh,
  type TpmsNvPublic,
} from "../../shared/tpm/index.ts";
import type { TpmRunner } from "./runner.ts";

/** What every TPM of the PC Client profile takes; a TPM may say less in NV_BUFFER_MAX. */
const PIECE_BYTES = 1024;
const MIN_PIECE_BYTES = 64;
/** Certificates have up to 1705 bytes; what is larger is none, and not read. */
const MAX_INDEX_BYTES = 8192;

/** The index is there, but larger than anything that we read. */
export class NvTooLargeError extends Error {
  override readonly name = "NvTooLargeError";
}

/** TPMS_NV_PUBLIC of an index; undefined when it is not defined. */
export async function nvReadPublic(tpm: TpmRunner, nvIndex: number): Promise<TpmsNvPublic | undefined> {
  try {
    const { response } = await tpm.run(commands.NV_ReadPublic, { handles: [nvIndex], parameters: {} });
    return response.nvPublic;
  } catch (error) {
    if (error instanceof TpmError && error.base === TpmRc.HANDLE) return undefined;
    throw error;
  }
}

/**
 * The content of an index, whole, with an empty password: of the index itself if it may be read so, else of the owner. Undefined when
 * the index is not defined or was never written. NvTooLargeError over 8 KiB; CodecError when the TPM gives more or less than it was asked for.
 */
export async function nvRead(tpm: TpmRunner, nvIndex: number): Promise<Uint8Array | undefined> {
  const nvPublic = await nvReadPublic(tpm, nvIndex);
  if (nvPublic === undefined || (nvPublic.attributes & TpmaNvBit.WRITTEN) === 0) return undefined;
  const { dataSize } = nvPublic;
  if (dataSize > MAX_INDEX_BYTES) throw new NvTooLargeError(`NV index 0x${nvIndex.toString(16)} has ${dataSize} bytes`);
  const authHandle = (nvPublic.attributes & TpmaNvBit.AUTHREAD) !== 0 ? nvIndex : TpmRh.OWNER;
  const piece = await pieceBytes(tpm);
  const content = new Uint8Array(dataSize);
  for (let offset = 0; offset < dataSize; ) {
    const size = Math.min(piece, dataSize - offset);
    const { response } = await tpm.run(commands.NV_Read, {
      handles: [authHandle, nvIndex],
      parameters: { size, offset },
    });
    const given = response.data.byteLength;
    if (given !== size) throw new CodecError(`has ${given} bytes where ${size} were asked for`, "TPM2_NV_Read.data", 0);
    content.set(response.data, offset);
    offset += size;
  }
  return content;
}

/** How much of an index goes into one command. */
async function pieceBytes(tpm: TpmRunner): Promise<number> {
  const { response } = await tpm.run(commands.GetCapability, {
    parameters: { capability: TpmCap.TPM_PROPERTIES, property: TpmPt.NV_BUFFER_MAX, propertyCount: 1 },
  });
  const { capabilityData } = response;
  const properties = capabilityData.capability === TpmCap.TPM_PROPERTIES ? capabilityData.data : [];
  const stated = properties.find(({ property }) => property === TpmPt.NV_BUFFER_MAX)?.value ?? PIECE_BYTES;
  return Math.min(PIECE_BYTES, Math.max(MIN_PIECE_BYTES, stated));
}

/** Defines an index with an empty password. `hierarchy` is TpmRh.OWNER or TpmRh.PLATFORM. */
export async function nvDefine(tpm: TpmRunner, hierarchy: number, publicInfo: TpmsNvPublic): Promise<void> {
  await tpm.run(commands.NV_DefineSpace, { handles: [hierarchy], parameters: { auth: new Uint8Array(0), publicInfo } });
}

export async function nvUndefine(tpm: TpmRunner, hierarchy: number, nvIndex: number): Promise<void> {
  await tpm.run(commands.NV_UndefineSpace, { handles: [hierarchy, nvIndex], parameters: {} });
}

/** Writes a whole index from its beginning; `authHandle` is the index or the hierarchy that may write. */
export async function nvWrite(tpm: TpmRunner, authHandle: number, nvIndex: number, content: Uint8Array): Promise<void> {
  const piece = await pieceBytes(tpm);
  for (let offset = 0; offset < content.byteLength; offset += piece) {
    const data = content.subarray(offset, offset + piece);
    await tpm.run(commands.NV_Write, { handles: [authHandle, nvIndex], parameters: { data, offset } });
  }
}
