import { constantTimeEqual } from "../../../shared/bytes/index.ts";
import {
  handleType,
  TpmaNvBit,
  TpmaObjectBit,
  TpmCc,
  TpmHt,
  TpmRc,
  TpmRh,
  type TpmsAuthCommand,
} from "../../../shared/tpm/index.ts";
import { checkLockedOut, failAuthorization } from "./dictionary-attack.ts";
import {
  authPolicy,
  authValue,
  boundEntity,
  indexAt,
  isDaProtected,
  objectAt,
  withoutTrailingZeros,
} from "./entity.ts";
import type { Machine } from "./machine.ts";
import { session as blameSession, blaming, refuse } from "./refusal.ts";
import type { Session } from "./session.ts";
import { type CommandUnderWay, cpHash, sessionHmac, type UsedSession } from "./session-hmac.ts";
import type { CommandShape } from "./unmarshal.ts";

/** Who may use what: Part 1, 19, in the order of checks of the reference implementation. */

/** Refuses when a handle wants an authorization and the command came without sessions. */
export function checkNoAuthorizationNeeded(spec: CommandShape): void {
  if (spec.handles.some(({ auth }) => auth !== "none")) refuse(TpmRc.AUTH_MISSING);
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
