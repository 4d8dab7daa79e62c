/** Commands and responses on the wire: Part 1, clause 18. */
import {
  type Codec,
  CodecError,
  decode,
  encode,
  framed,
  type Infer,
  inField,
  oneOf,
  Reader,
  struct,
  u16be,
  u32be,
  Writer,
} from "../bytes/index.ts";
import { TpmaSession } from "./attributes.ts";
import { Tpm2bAuth, Tpm2bNonce } from "./buffers.ts";
import { TpmLimit, TpmSt } from "./constants.ts";
import { TpmRc } from "./response-code.ts";

export const TPM_HEADER_BYTES = 10;
const HANDLE_BYTES = 4;
const NONE = new Uint8Array(0);

/** Part 1, 18.2: what stands before a command's handles. */
const TpmCommandHeader = struct("command header", {
  tag: oneOf(u16be, [TpmSt.NO_SESSIONS, TpmSt.SESSIONS]),
  commandSize: u32be,
  commandCode: u32be,
});

/**
 * Part 1, 18.2: what stands before a response's handle. Tag RSP_COMMAND goes with TPM_RC_BAD_TAG and no other code (Part 2, 6.9): with
 * another it is what a TPM 1.2 answers.
 */
export const TpmResponseHeader = struct("response header", {
  tag: oneOf(u16be, [TpmSt.NO_SESSIONS, TpmSt.SESSIONS, TpmSt.RSP_COMMAND]),
  responseSize: u32be,
  responseCode: u32be,
});
export type TpmResponseHeader = Infer<typeof TpmResponseHeader>;

/** TPMS_AUTH_COMMAND, Part 2, 10.13.2. For TPM_RS_PW the nonce is empty and `hmac` is the password. */
export const TpmsAuthCommand = struct("TPMS_AUTH_COMMAND", {
  sessionHandle: u32be,
  nonce: Tpm2bNonce,
  sessionAttributes: TpmaSession,
  hmac: Tpm2bAuth,
});
export type TpmsAuthCommand = Infer<typeof TpmsAuthCommand>;

/** TPMS_AUTH_RESPONSE, Part 2, 10.13.3. */
export const TpmsAuthResponse = struct("TPMS_AUTH_RESPONSE", {
  nonce: Tpm2bNonce,
  sessionAttributes: TpmaSession,
  hmac: Tpm2bAuth,
});
export type TpmsAuthResponse = Infer<typeof TpmsAuthResponse>;

/** As many of `item` as the bytes hold, at most `max`. */
function untilEnd<T>(item: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    read(from) {
      const items: T[] = [];
      while (from.remaining > 0) {
        if (items.length === max) from.fail(`more than ${max} of them`);
        items.push(inField(`[${items.length}]`, () => item.read(from)));
      }
      return items;
    },
    write(to, items) {
      for (const one of items) item.write(to, one);
    },
  };
}

const authorizations = framed(u32be, untilEnd(TpmsAuthCommand, TpmLimit.SESSIONS), TpmLimit.MESSAGE);
const authorizationResponses = untilEnd(TpmsAuthResponse, TpmLimit.SESSIONS);

export interface TpmCommand {
  readonly commandCode: number;
  readonly handles: readonly number[];
  /** Empty: the command goes without sessions, tag NO_SESSIONS. */
  readonly sessions: readonly TpmsAuthCommand[];
  /** The encoded parameter area. */
  readonly parameters: Uint8Array;
}

export function encodeCommand(command: TpmCommand): Uint8Array {
  const { commandCode, handles, parameters } = command;
  const withSessions = command.sessions.length > 0;
  const sessions = withSessions ? encode(authorizations, command.sessions) : NONE;
  const commandSize = TPM_HEADER_BYTES + HANDLE_BYTES * handles.length + sessions.byteLength + parameters.byteLength;
  const whole = new Writer(new Uint8Array(commandSize));
  const tag = withSessions ? TpmSt.SESSIONS : TpmSt.NO_SESSIONS;
  TpmCommandHeader.write(whole, { tag, commandSize, commandCode });
  for (const handle of handles) whole.u32be(handle);
  return whole.bytes(sessions).bytes(parameters).finish();
}

/** A command whose number of handles is looked up by its code; undefined from the look-up makes it malformed. */
export function decodeCommand(bytes: Uint8Array, handleCount: (code: number) => number | undefined): TpmCommand {
  const from = new Reader(bytes);
  const header = TpmCommandHeader.read(from);
  if (header.commandSize !== bytes.byteLength) wrongSize("commandSize", header.commandSize, bytes.byteLength);
  const count =
    handleCount(header.commandCode) ?? from.fail(`command code 0x${header.commandCode.toString(16)} is not known`);
  const handles = readHandles(from, count, "handles");
  const sessions = header.tag === TpmSt.SESSIONS ? inField("authorizations", () => authorizations.read(from)) : [];
  if (header.tag === TpmSt.SESSIONS && sessions.length === 0)
    from.fail("the tag promises an authorization, none is there");
  return { commandCode: header.commandCode, handles, sessions, parameters: from.rest() };
}

function readHandles(from: Reader, count: number, field: string): readonly number[] {
  const handles: number[] = [];
  for (let i = 0; i < count; i++) handles.push(inField(field, () => from.u32be()));
  return handles;
}

export interface TpmResponse {
  readonly responseCode: number;
  readonly handles: readonly number[];
  readonly parameters: Uint8Array;
  readonly sessions: readonly TpmsAuthResponse[];
}

/** `withSessions`: whether the command had some. A response with an error has neither handle nor parameters nor sessions. */
export function encodeResponse(response: TpmResponse, withSessions: boolean): Uint8Array {
  const { responseCode, handles, parameters } = response;
  const hasSessions = withSessions && responseCode === 0;
  const sizeOfParameters = hasSessions ? encode(u32be, parameters.byteLength) : NONE;
  const sessions = hasSessions ? encode(authorizationResponses, response.sessions) : NONE;
  const before = HANDLE_BYTES * handles.length + sizeOfParameters.byteLength;
  const responseSize = TPM_HEADER_BYTES + before + parameters.byteLength + sessions.byteLength;
  const whole = new Writer(new Uint8Array(responseSize));
  const tag = hasSessions ? TpmSt.SESSIONS : bareTag(responseCode);
  TpmResponseHeader.write(whole, { tag, responseSize, responseCode });
  for (const handle of handles) whole.u32be(handle);
  return whole.bytes(sizeOfParameters).bytes(parameters).bytes(sessions).finish();
}

/** The tag of a response without sessions. */
const bareTag = (responseCode: number): TpmResponseHeader["tag"] =>
  responseCode === TpmRc.BAD_TAG ? TpmSt.RSP_COMMAND : TpmSt.NO_SESSIONS;

/** The header of a response that is `bytes`, and nothing before or behind them. */
function readResponseHeader(from: Reader, bytes: Uint8Array): TpmResponseHeader {
  const header = TpmResponseHeader.read(from);
  const { tag, responseSize, responseCode } = header;
  if (responseSize !== bytes.byteLength) wrongSize("responseSize", responseSize, bytes.byteLength);
  const hasSessions = tag === TpmSt.SESSIONS && responseCode === 0; // a refusal has none
  if (!hasSessions && tag !== bareTag(responseCode)) from.fail("tag and response code contradict");
  return header;
}

/** All of a response. `handleCount` is how many handles the command returns on success, 0 or 1. */
export function decodeResponse(bytes: Uint8Array, handleCount: number): TpmResponse {
  const from = new Reader(bytes);
  const header = readResponseHeader(from, bytes);
  if (header.responseCode !== 0) {
    from.end();
    return { responseCode: header.responseCode, handles: [], parameters: new Uint8Array(0), sessions: [] };
  }
  const handles = readHandles(from, handleCount, "handle");
  if (header.tag !== TpmSt.SESSIONS) return { responseCode: 0, handles, parameters: from.rest(), sessions: [] };
  const parameters = inField("parameters", () => from.bytes(from.u32be()));
  const sessions = inField("authorizations", () => decode(authorizationResponses, from.rest()));
  return { responseCode: 0, handles, parameters, sessions };
}

/** The response code alone, of a response whose size is what it states. What follows the header is not looked at. */
export function decodeResponseCode(bytes: Uint8Array): number {
  return readResponseHeader(new Reader(bytes), bytes).responseCode;
}

function wrongSize(field: string, stated: number, actual: number): never {
  throw new CodecError(`${stated} stated, ${actual} bytes there`, field, 2);
}
