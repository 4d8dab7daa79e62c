import { type Infer, Reader, sized, tagged, u8, u32be } from "../../../shared/bytes/index.ts";

/** swtpm's control channel (swtpm/tpm_ioctl.h in its socket form), from the TPM's side. Numbers are big-endian. */

export const ControlCode = {
  GET_CAPABILITY: 0x01,
  INIT: 0x02,
  SHUTDOWN: 0x03,
  GET_TPMESTABLISHED: 0x04,
  SET_LOCALITY: 0x05,
  HASH_START: 0x06,
  HASH_DATA: 0x07,
  HASH_END: 0x08,
  STORE_VOLATILE: 0x0a,
  RESET_TPMESTABLISHED: 0x0b,
  STOP: 0x0e,
  SET_BUFFERSIZE: 0x11,
} as const;

/** What GET_CAPABILITY answers for the commands above: PTM_CAP_*, in the order of tpm_ioctl.h. */
export const CAPABILITIES = 0x24dfn;

/** Results, TPM 1.2's codes; INIT of a TPM that cannot begin answers with the one of TPM 2.0. */
export const ControlResult = { SUCCESS: 0, FAIL: 0x09, BAD_ORDINAL: 0x0a, BAD_LOCALITY: 0x3d, FAILURE: 0x101 } as const;

/** Bit of INIT's flags: a stored volatile state goes. */
export const INIT_DELETE_VOLATILE = 1;

/** One piece of a measurement. swtpm's own client sends 4096 bytes. */
export const MAX_HASH_PIECE_BYTES = 1 << 20;

export const ControlRequest = tagged("control request", "code", u32be, {
  [ControlCode.GET_CAPABILITY]: {},
  [ControlCode.INIT]: { initFlags: u32be },
  [ControlCode.SHUTDOWN]: {},
  [ControlCode.GET_TPMESTABLISHED]: {},
  [ControlCode.SET_LOCALITY]: { locality: u8 },
  [ControlCode.HASH_START]: {},
  [ControlCode.HASH_DATA]: { data: sized(u32be, MAX_HASH_PIECE_BYTES) },
  [ControlCode.HASH_END]: {},
  [ControlCode.STORE_VOLATILE]: {},
  [ControlCode.RESET_TPMESTABLISHED]: { locality: u8 },
  [ControlCode.STOP]: {},
  [ControlCode.SET_BUFFERSIZE]: { buffersize: u32be },
});
export type ControlRequest = Infer<typeof ControlRequest>;

const CODE_BYTES = 4;
const FIXED_BYTES: Readonly<Record<number, number>> = {
  [ControlCode.INIT]: 8,
  [ControlCode.SET_LOCALITY]: 5,
  [ControlCode.HASH_DATA]: 8,
  [ControlCode.RESET_TPMESTABLISHED]: 5,
  [ControlCode.SET_BUFFERSIZE]: 8,
};

/**
 * How many bytes of `received` must be there to know more, up to the whole request; equal to its length when the request is whole. CodecError
 * for a piece that is too long.
 */
export function controlRequestBytes(received: Uint8Array): number {
  if (received.byteLength < CODE_BYTES) return CODE_BYTES;
  const from = new Reader(received);
  const code = from.u32be();
  const fixedBytes = FIXED_BYTES[code] ?? CODE_BYTES;
  if (code !== ControlCode.HASH_DATA || received.byteLength < fixedBytes) return fixedBytes;
  const size = from.u32be();
  if (size > MAX_HASH_PIECE_BYTES) from.fail(`a piece of ${size} bytes, ${MAX_HASH_PIECE_BYTES} are taken`);
  return fixedBytes + size;
}

export function isKnownControl(code: number): boolean {
  return Object.values<number>(ControlCode).includes(code);
}
