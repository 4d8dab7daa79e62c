import { CodecError, concat, constantTimeEqual, encode, type Reader, u8, u32be } from "../../../shared/bytes/index.ts";
import { digest, hmac } from "../../../shared/crypto/index.ts";
import {
  handleType,
  TpmaNvBit,
  TpmaObjectBit,
  TpmaSessionBit,
  TpmCc,
  TpmHt,
  TpmLimit,
  TpmRc,
  TpmRh,
  TpmsAuthCommand,
  type TpmsAuthResponse,
} from "../../../shared/tpm/index.ts";
import { checkLockedOut, failAuthorization } from "./dictionary-attack.ts";
import {
  authPolicy,
  authValue,
  boundEntity,
  entityName,
  indexAt,
  isDaProtected,
  objectAt,
  withoutTrailingZeros,
} from "./entity.ts";
import type { Machine } from "./machine.ts";
import { session as blameSession, blaming, refuse } from "./refusal.ts";
import { newPolicyState, type Session } from "./session.ts";
import { type CommandShape, rcOf } from "./unmarshal.ts";

/** Authorization areas: Part 1, 19, in the order of checks of the reference implementation. */

/** Smallest TPMS_AUTH_COMMAND. */
const MIN_AUTHORIZATION = 9;
const NONE = new Uint8Array(0);

/** One session of the command under way. */
export interface UsedSession {
  readonly input: TpmsAuthCommand;
  /** undefined: a password. */
  readonly session: Session | undefined;
  /** The handle that it authorizes; undefined: none. */
  readonly authorizes: number | undefined;
  /** The authValue of that handle is part of the HMAC key. */
  readonly includeAuth: boolean;
}

/** The command as far as it was parsed. */
export interface CommandUnderWay {
  readonly spec: CommandShape;
  readonly handles: readonly number[];
  readonly parameters: Uint8Array;
}

/** Refuses when a handle wants an authorization and the command came without sessions. */
export function checkNoAuthorizationNeeded(spec: CommandShape): void {
  if (spec.handles.some(({ auth }) => auth !== "none")) refuse(TpmRc.AUTH_MISSING);
}

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

/** Checks that every handle that wants it is authorized; counts failures. */
export function authorize(
  tpm: Machine,
  command: CommandUnderWay,
  inputs: readonly TpmsAuthCommand[],
): readonly UsedSession[] {
  const authorized = command.spec.handles.map(({ auth }, i) => (auth === "none" ? undefined : command.handles[i]));
  authorized.forEach((handle, i) => {
    if (handle !== undefined && i >= inputs.length) refuse(TpmRc.AUTH_MISSING);
  });
  return inputs.map((input, i) =>
    blaming(blameSession(i + 1), () => checkSession(tpm, command, input, i, authorized[i])),
  );
}

function checkSession(
  tpm: Machine,
  command: CommandUnderWay,
  input: TpmsAuthCommand,
  i: number,
  authorizes: number | undefined,
): UsedSession {
  const session = input.sessionHandle === TpmRh.PW ? undefined : tpm.ram.sessions.get(input.sessionHandle);
  if (authorizes === undefined) {
    // Only encryption and audit sessions may stand for no handle.
    refuse(session === undefined ? TpmRc.HANDLE : TpmRc.ATTRIBUTES);
  }
  if (session?.kind === "trial") refuse(TpmRc.ATTRIBUTES);
  const includeAuth = usesAuthValue(tpm, session, authorizes);
  if (includeAuth) checkLockedOut(tpm, authorizes);
  const role = { tpm, command, handle: authorizes, admin: command.spec.handles[i]?.auth === "admin" };
  if (session?.kind === "policy") {
    if (!isPolicyAvailable(role)) refuse(TpmRc.AUTH_UNAVAILABLE);
    checkPolicy(role, session);
  } else {
    if (isPolicyRequired(role)) refuse(TpmRc.AUTH_TYPE);
    if (!isAuthValueAvailable(role)) refuse(TpmRc.AUTH_UNAVAILABLE);
  }
  const used: UsedSession = { input, session, authorizes, includeAuth };
  checkSecret(tpm, command, used);
  return used;
}

/** An HMAC session that is bound to the entity has its authValue in the session key already. A policy needs none (no PolicyAuthValue here). */
function usesAuthValue(tpm: Machine, session: Session | undefined, handle: number): boolean {
  if (session === undefined) return true;
  if (session.kind !== "hmac") return false;
  return session.boundEntity === undefined || !constantTimeEqual(session.boundEntity, boundEntity(tpm, handle));
}

interface Role {
  readonly tpm: Machine;
  readonly command: CommandUnderWay;
  readonly handle: number;
  readonly admin: boolean;
}

const isObjectHandle = (handle: number) =>
  handleType(handle) === TpmHt.TRANSIENT || handleType(handle) === TpmHt.PERSISTENT;
const isIndexHandle = (handle: number) => handleType(handle) === TpmHt.NV_INDEX;

/** ADMIN role takes a policy, except of an object without adminWithPolicy: Part 1, 19.2. */
function isPolicyRequired({ tpm, handle, admin }: Role): boolean {
  return admin && !(isObjectHandle(handle) && (objectAttributes(tpm, handle) & TpmaObjectBit.ADMIN_WITH_POLICY) === 0);
}

function isAuthValueAvailable({ tpm, command, handle, admin }: Role): boolean {
  if (isIndexHandle(handle)) {
    const needed = isNvWrite(command) ? TpmaNvBit.AUTHWRITE : TpmaNvBit.AUTHREAD;
    return (indexAt(tpm, handle).publicArea.attributes & needed) !== 0;
  }
  if (!isObjectHandle(handle) || objectAt(tpm, handle).kind === "sequence") return true;
  const attributes = objectAttributes(tpm, handle);
  return (
    (attributes & TpmaObjectBit.USER_WITH_AUTH) !== 0 || (admin && (attributes & TpmaObjectBit.ADMIN_WITH_POLICY) === 0)
  );
}

function isPolicyAvailable({ tpm, command, handle, admin }: Role): boolean {
  if (isIndexHandle(handle)) {
    const needed = isNvWrite(command) ? TpmaNvBit.POLICYWRITE : TpmaNvBit.POLICYREAD;
    return admin || (indexAt(tpm, handle).publicArea.attributes & needed) !== 0;
  }
  return isObjectHandle(handle) && objectAt(tpm, handle).kind === "key";
}

function isNvWrite({ spec }: CommandUnderWay): boolean {
  return spec.code === TpmCc.NV_Write || spec.code === TpmCc.NV_Increment;
}

function objectAttributes(tpm: Machine, handle: number): number {
  const object = objectAt(tpm, handle);
  return object.kind === "key" ? object.area.objectAttributes : 0;
}

function checkPolicy({ tpm, command, handle, admin }: Role, session: Session): void {
  // The authorization of PolicySecret is by authValue; a policy without PolicyAuthValue or PolicyPassword proves none (Part 3, 23.4).
  if (command.spec.code === TpmCc.PolicySecret) refuse(TpmRc.MODE);
  const wanted = authPolicy(tpm, handle);
  const { policy } = session;
  if (wanted === undefined || !constantTimeEqual(policy.digest, wanted.digest)) refuse(TpmRc.POLICY_FAIL);
  if (wanted.hash !== session.hash) refuse(TpmRc.POLICY_FAIL);
  if (policy.timeout !== undefined && policy.timeout < tpm.ram.time.time) refuse(TpmRc.EXPIRED);
  if (admin) refuse(TpmRc.POLICY_FAIL); // an ADMIN role wants PolicyCommandCode, which this TPM does not have
  if (policy.cpHash.byteLength > 0 && !constantTimeEqual(policy.cpHash, cpHash(tpm, command, session)))
    refuse(TpmRc.POLICY_FAIL);
}

function checkSecret(tpm: Machine, command: CommandUnderWay, used: UsedSession): void {
  const { input, session, authorizes } = used;
  const expected =
    session === undefined
      ? authValue(tpm, authorizes ?? TpmRh.NULL)
      : sessionHmac(tpm, used, cpHash(tpm, command, session), input.nonce, session.nonceTpm, input.sessionAttributes);
  const given = session === undefined ? withoutTrailingZeros(input.hmac) : input.hmac;
  if (constantTimeEqual(given, expected)) return;
  if (used.includeAuth && authorizes !== undefined && isDaProtected(tpm, authorizes))
    failAuthorization(tpm, authorizes);
  refuse(TpmRc.BAD_AUTH);
}

/** HMAC of a command or of a response: Part 1, 19.6.5. Empty where key and given HMAC are empty. */
function sessionHmac(
  tpm: Machine,
  { session, authorizes, includeAuth, input }: UsedSession,
  parametersHash: Uint8Array,
  newer: Uint8Array,
  older: Uint8Array,
  attributes: number,
): Uint8Array {
  if (session === undefined) return NONE;
  const auth = includeAuth && authorizes !== undefined ? authValue(tpm, authorizes) : NONE;
  const key = concat(session.sessionKey, auth);
  if (key.byteLength === 0 && input.hmac.byteLength === 0) return NONE;
  return hmac(session.hash, key, parametersHash, newer, older, encode(u8, attributes));
}

/** Part 1, 16.7. */
function cpHash(tpm: Machine, { spec, handles, parameters }: CommandUnderWay, { hash }: Session): Uint8Array {
  return digest(hash, encode(u32be, spec.code), ...handles.map((handle) => entityName(tpm, handle)), parameters);
}

/** The sessions of the response: new nonces, spent policies reset, ended sessions flushed (Part 1, 19.6.6). */
export function answerSessions(
  tpm: Machine,
  { spec }: CommandUnderWay,
  used: readonly UsedSession[],
  responseParameters: Uint8Array,
): readonly TpmsAuthResponse[] {
  for (const { session } of used)
    if (session !== undefined) session.nonceTpm = tpm.random.bytes(session.nonceTpm.byteLength);
  return used.map((one) => {
    const { session, input } = one;
    const sessionAttributes = input.sessionAttributes;
    if (session === undefined) {
      return { nonce: NONE, sessionAttributes: sessionAttributes | TpmaSessionBit.CONTINUE_SESSION, hmac: NONE };
    }
    const rpHash = digest(session.hash, encode(u32be, TpmRc.SUCCESS), encode(u32be, spec.code), responseParameters);
    const answer = {
      nonce: session.nonceTpm,
      sessionAttributes,
      hmac: sessionHmac(tpm, one, rpHash, session.nonceTpm, input.nonce, sessionAttributes),
    };
    if ((sessionAttributes & TpmaSessionBit.CONTINUE_SESSION) === 0) tpm.ram.sessions.remove(session.handle);
    else if (session.kind === "policy") {
      session.policy = newPolicyState(session.hash);
      session.startTime = tpm.ram.time.time;
    }
    return answer;
  });
}
