import { CodecError, type Reader } from "../../../shared/bytes/index.ts";
import {
  handleType,
  TpmaSessionBit,
  TpmHt,
  TpmLimit,
  TpmRc,
  TpmRh,
  TpmsAuthCommand,
} from "../../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";
import { session as blameSession, blaming, refuse } from "./refusal.ts";
import { rcOf } from "./unmarshal.ts";

/** Authorization areas as they come: Part 1, 18.6. */

/** Smallest TPMS_AUTH_COMMAND. */
const MIN_AUTHORIZATION = 9;

/** The sessions of an authorization area; leaves `from` at the parameters. */
export function readAuthorizations(tpm: Machine, from: Reader): readonly TpmsAuthCommand[] {
  if (from.remaining < 4) refuse(TpmRc.INSUFFICIENT);
  const size = from.u32be();
  if (size < MIN_AUTHORIZATION || size > from.remaining) refuse(TpmRc.SIZE);
  const area = from.within(size);
  const inputs: TpmsAuthCommand[] = [];
  while (area.remaining > 0) {
    const blamed = blameSession(inputs.length + 1);
    if (inputs.length === TpmLimit.SESSIONS) refuse(TpmRc.SIZE, blamed);
    const input = blaming(blamed, () => readAuthorization(area));
    blaming(blamed, () => checkUsable(tpm, input, inputs));
    inputs.push(input);
  }
  return inputs;
}

function readAuthorization(area: Reader): TpmsAuthCommand {
  try {
    return TpmsAuthCommand.read(area);
  } catch (error) {
    if (error instanceof CodecError) refuse(rcOf(error, 0));
    throw error;
  }
}

function checkUsable(tpm: Machine, input: TpmsAuthCommand, before: readonly TpmsAuthCommand[]): void {
  const { sessionHandle, sessionAttributes } = input;
  const special = sessionAttributes & ~TpmaSessionBit.CONTINUE_SESSION;
  if (sessionHandle === TpmRh.PW) {
    if (special !== 0) refuse(TpmRc.ATTRIBUTES);
    if (input.nonce.byteLength !== 0) refuse(TpmRc.NONCE);
    return;
  }
  const type = handleType(sessionHandle);
  if (type !== TpmHt.HMAC_SESSION && type !== TpmHt.POLICY_SESSION) refuse(TpmRc.VALUE);
  const session = tpm.ram.sessions.get(sessionHandle);
  if (session === undefined) refuse(TpmRc.REFERENCE_S0 + before.length);
  if (session.handle !== sessionHandle) refuse(TpmRc.HANDLE);
  if (before.some((other) => other.sessionHandle === sessionHandle)) refuse(TpmRc.HANDLE);
  if ((special & (TpmaSessionBit.DECRYPT | TpmaSessionBit.ENCRYPT)) !== 0) refuse(TpmRc.SYMMETRIC);
  if (special !== 0) refuse(TpmRc.ATTRIBUTES); // no audit sessions here
}
