import { concat, decode, encode, Reader, u8, u32be, u64be } from "../../../shared/bytes/index.ts";
import { TpmLimit } from "../../../shared/tpm/index.ts";
import { MAX_LOCALITY, StateDirectoryError, type TpmBoard } from "../emulator/index.ts";
import {
  CAPABILITIES,
  ControlCode,
  ControlRequest,
  ControlResult,
  INIT_DELETE_VOLATILE,
  isKnownControl,
} from "./control-codec.ts";

/** What a whole control request does to the TPM, and its answer; `ends` when the server is to end. */
export interface ControlOutcome {
  readonly reply: Uint8Array;
  readonly ends: boolean;
  /** What went wrong, for the log. */
  readonly problem?: string;
}

const result = (code: number): Uint8Array => encode(u32be, code);
const PADDING = new Uint8Array(3);

/** `request` is as long as controlRequestBytes says. A control that is not known is refused, as swtpm does. */
export function runControl(board: TpmBoard, request: Uint8Array): ControlOutcome {
  if (!isKnownControl(new Reader(request).u32be())) return { reply: result(ControlResult.BAD_ORDINAL), ends: false };
  const control = decode(ControlRequest, request);
  try {
    return { reply: answer(board, control), ends: control.code === ControlCode.SHUTDOWN };
  } catch (error) {
    if (!(error instanceof StateDirectoryError)) throw error;
    return { reply: result(ControlResult.FAILURE), ends: false, problem: error.message };
  }
}

function answer(board: TpmBoard, control: ControlRequest): Uint8Array {
  switch (control.code) {
    case ControlCode.GET_CAPABILITY:
      return encode(u64be, CAPABILITIES);
    case ControlCode.INIT:
      if ((control.initFlags & INIT_DELETE_VOLATILE) !== 0) board.forgetVolatile();
      board.powerCycle();
      return result(ControlResult.SUCCESS);
    case ControlCode.SHUTDOWN:
    case ControlCode.STOP:
      board.powerOff();
      return result(ControlResult.SUCCESS);
    case ControlCode.SET_LOCALITY:
      if (control.locality > MAX_LOCALITY) return result(ControlResult.BAD_LOCALITY);
      board.locality = control.locality;
      return result(ControlResult.SUCCESS);
    case ControlCode.SET_BUFFERSIZE:
      return bufferSize(board, control.buffersize);
    default:
      return board.powered ? answerPowered(board, control) : result(ControlResult.BAD_ORDINAL);
  }
}

type PoweredControl = Exclude<
  ControlRequest,
  {
    readonly code:
      | typeof ControlCode.GET_CAPABILITY
      | typeof ControlCode.INIT
      | typeof ControlCode.SHUTDOWN
      | typeof ControlCode.STOP
      | typeof ControlCode.SET_LOCALITY
      | typeof ControlCode.SET_BUFFERSIZE;
  }
>;

/** What only a TPM with power does. */
function answerPowered(board: TpmBoard, control: PoweredControl): Uint8Array {
  switch (control.code) {
    case ControlCode.GET_TPMESTABLISHED:
      return concat(result(ControlResult.SUCCESS), encode(u8, board.established ? 1 : 0), PADDING);
    case ControlCode.RESET_TPMESTABLISHED:
      if (control.locality !== 3 && control.locality !== 4) return result(ControlResult.BAD_LOCALITY);
      board.clearEstablished();
      break;
    case ControlCode.HASH_START:
      board.hashStart();
      break;
    case ControlCode.HASH_DATA:
      board.hashData(control.data);
      break;
    case ControlCode.HASH_END:
      board.hashEnd();
      break;
    case ControlCode.STORE_VOLATILE:
      if (!board.storeVolatile()) return result(ControlResult.FAIL);
      break;
  }
  return result(ControlResult.SUCCESS);
}

/** Messages have one size here, which cannot be set: that is answered, to whatever was asked for. A running TPM is only asked. */
function bufferSize(board: TpmBoard, wanted: number): Uint8Array {
  if (board.powered && wanted !== 0) return result(ControlResult.BAD_ORDINAL);
  const size = result(TpmLimit.MESSAGE);
  return concat(result(ControlResult.SUCCESS), size, size, size);
}
