import { CodecError, type Reader, struct } from "../../../shared/bytes/index.ts";
import {
  TpmaSessionBit as Bit,
  handleType,
  Tpm2bAuth,
  Tpm2bNonce,
  TpmAlg,
  TpmaSession,
  TpmHt,
  TpmLimit,
  TpmRc,
  TpmRh,
  type TpmsAuthCommand,
} from "../../../shared/tpm/index.ts";
import type { Machine } from "./machine.ts";
import { session as blameSession, blaming, refuse } from "./refusal.ts";
import type { Session } from "./session.ts";
import { ACTIVE_SESSIONS } from "./session-table.ts";
import { type CommandShape, rcOf } from "./unmarshal.ts";

/** Authorization areas as they come: Part 1, 18.6. */

/** TPMS_AUTH_COMMAND behind its handle, which is looked at first. */
const Rest = struct("TPMS_AUTH_COMMAND", {
  nonce: Tpm2bNonce,
  sessionAttributes: TpmaSession,
  hmac: Tpm2bAuth,
});

/** Smallest TPMS_AUTH_COMMAND. */
const MIN_AUTHORIZATION = 9;

/** The sessions of a command, and which of them, counted from 0, do more than authorize. */
export interface AuthorizationArea {
  readonly inputs: readonly TpmsAuthCommand[];
  readonly decrypt: number | undefined;
  readonly encrypt: number | undefined;
}

export const NO_AUTHORIZATIONS: AuthorizationArea = { inputs: [], decrypt: undefined, encrypt: undefined };

/** The sessions of an authorization area; leaves `from` at the parameters. */
export function readAuthorizations(tpm: Machine, spec: CommandShape, from: Reader): AuthorizationArea {
  if (from.remaining < 4) refuse(TpmRc.INSUFFICIENT);
  const size = from.u32be();
  if (size < MIN_AUTHORIZATION || size > from.remaining) refuse(TpmRc.SIZE);
  const area = from.within(size);
  const inputs: TpmsAuthCommand[] = [];
  while (area.remaining > 0) {
    const blamed = blameSession(inputs.length + 1);
    if (inputs.length === TpmLimit.SESSIONS) refuse(TpmRc.SIZE, blamed);
    const input = blaming(blamed, () => readAuthorization(area));
    blaming(blamed, () => checkUsable(tpm, spec, input, inputs));
    inputs.push(input);
  }
  const first = (bit: number) => {
    const index = inputs.findIndex((input) => has(input, bit));
    return index < 0 ? undefined : index;
  };
  return { inputs, decrypt: first(Bit.DECRYPT), encrypt: first(Bit.ENCRYPT) };
}

function has({ sessionAttributes }: TpmsAuthCommand, bits: number): boolean {
  return (sessionAttributes & bits) !== 0;
}

function readAuthorization(area: Reader): TpmsAuthCommand {
  try {
    const handle = area.u32be();
    isAuthSession(handle);
    return { sessionHandle: handle, ...Rest.read(area) };
  } catch (error) {
    if (error instanceof CodecError) refuse(rcOf(error, 0));
    throw error;
  }
}

/** TPMI_SH_AUTH_SESSION+. */
function isAuthSession(handle: number): void {
  const type = handleType(handle);
  const isSession = type === TpmHt.HMAC_SESSION || type === TpmHt.POLICY_SESSION;
  if (handle !== TpmRh.PW && !(isSession && (handle & 0xff_ffff) < ACTIVE_SESSIONS)) refuse(TpmRc.VALUE);
}

const SPECIAL = Bit.DECRYPT | Bit.ENCRYPT | Bit.AUDIT | Bit.AUDIT_EXCLUSIVE | Bit.AUDIT_RESET;

function checkUsable(
  tpm: Machine,
  spec: CommandShape,
  input: TpmsAuthCommand,
  before: readonly TpmsAuthCommand[],
): void {
  const { sessionHandle } = input;
  if (sessionHandle === TpmRh.PW) {
    if (has(input, SPECIAL)) refuse(TpmRc.ATTRIBUTES);
    if (input.nonce.byteLength !== 0) refuse(TpmRc.NONCE);
    return;
  }
  const session = tpm.ram.sessions.get(sessionHandle);
  if (session === undefined) refuse(TpmRc.REFERENCE_S0 + before.length);
  if (session.handle !== sessionHandle) refuse(TpmRc.HANDLE);
  if (before.some((other) => other.sessionHandle === sessionHandle)) refuse(TpmRc.HANDLE);
  const once = (bit: number) => {
    if (before.some((other) => has(other, bit))) refuse(TpmRc.ATTRIBUTES);
  };
  for (const [bit, possible] of [
    [Bit.DECRYPT, spec.encryptable.command],
    [Bit.ENCRYPT, spec.encryptable.response],
  ] as const) {
    if (!has(input, bit)) continue;
    if (!possible) refuse(TpmRc.ATTRIBUTES);
    once(bit);
    if (session.symmetric.algorithm === TpmAlg.NULL) refuse(TpmRc.SYMMETRIC);
  }
  if (has(input, Bit.AUDIT)) {
    once(Bit.AUDIT);
    checkAudit(tpm, input, session);
  }
}

/** Part 1, 17.4: who asks for exclusiveness gets the command done only while the session has it. */
function checkAudit(tpm: Machine, input: TpmsAuthCommand, session: Session): void {
  if (session.kind !== "hmac") refuse(TpmRc.ATTRIBUTES);
  if (has(input, Bit.AUDIT_RESET) || session.auditDigest === undefined) return;
  if (has(input, Bit.AUDIT_EXCLUSIVE) && tpm.ram.sessions.exclusive !== session.handle) refuse(TpmRc.EXCLUSIVE);
}
