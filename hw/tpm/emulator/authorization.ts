import { constantTimeEqual } from "../../../shared/bytes/index.ts";
import {
  TpmaSessionBit as Bit,
  handleType,
  TpmaNvBit,
  TpmaObjectBit,
  TpmCc,
  TpmHt,
  TpmRc,
  TpmRh,
  type TpmsAuthCommand,
} from "../../../shared/tpm/index.ts";
import type { AuthorizationArea } from "./authorization-area.ts";
import { checkNotLocked, failAuthorization } from "./dictionary-attack.ts";
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
import { decryptFirst } from "./parameter-encryption.ts";
import { mayHavePolicy } from "./pcr.ts";
import { session as blameSession, blaming, refuse } from "./refusal.ts";
import { hasExpired, type Session } from "./session.ts";
import type { Authorized } from "./session-answer.ts";
import { type CommandUnderWay, cpHash, sessionHmac, type UsedSession } from "./session-hmac.ts";
import type { CommandShape } from "./unmarshal.ts";

/** Who may use what: Part 1, 19, in the order of checks of the reference implementation. */

/** Refuses when a handle wants an authorization and the command came without sessions. */
export function checkNoAuthorizationNeeded(spec: CommandShape): void {
  if (spec.handles.some(({ auth }) => auth !== "none")) refuse(TpmRc.AUTH_MISSING);
}

/** Checks that every handle that wants it is authorized, and that the other sessions prove who sent the command; counts failures. */
export function authorize(
  tpm: Machine,
  command: CommandUnderWay,
  area: AuthorizationArea,
): Authorized & { readonly parameters: Uint8Array } {
  const { inputs } = area;
  const authorized = command.spec.handles.map(({ auth }, i) => (auth === "none" ? undefined : command.handles[i]));
  authorized.forEach((handle, i) => {
    if (handle !== undefined && i >= inputs.length) refuse(TpmRc.AUTH_MISSING);
  });
  const used: UsedSession[] = [];
  inputs.forEach((_input, i) => {
    used.push(checkSession(tpm, command, area, i, authorized[i]));
  });
  const audits = used.find(({ session, input }) => session !== undefined && has(input, Bit.AUDIT));
  return {
    used,
    encrypts: area.encrypt === undefined ? undefined : used[area.encrypt],
    auditedCommand: audits?.session === undefined ? undefined : cpHash(tpm, command, audits.session),
    parameters: area.decrypt === undefined ? command.parameters : decrypted(tpm, command, used, area.decrypt),
  };
}

function has({ sessionAttributes }: TpmsAuthCommand, bits: number): boolean {
  return (sessionAttributes & bits) !== 0;
}

function decrypted(tpm: Machine, command: CommandUnderWay, used: readonly UsedSession[], i: number): Uint8Array {
  const { session, input, authorizes } = used[i] ?? {};
  if (session === undefined || input === undefined) return command.parameters;
  const auth = authorizes === undefined ? new Uint8Array(0) : authValue(tpm, authorizes);
  return blaming(blameSession(i + 1), () =>
    decryptFirst({ session, authValue: auth, newer: input.nonce, older: session.nonceTpm }, command.parameters),
  );
}

function checkSession(
  tpm: Machine,
  command: CommandUnderWay,
  area: AuthorizationArea,
  i: number,
  authorizes: number | undefined,
): UsedSession {
  const input = area.inputs[i];
  if (input === undefined) throw new RangeError(`no session ${i}`);
  const session = input.sessionHandle === TpmRh.PW ? undefined : tpm.ram.sessions.get(input.sessionHandle);
  const blamed = blameSession(i + 1);
  if (session === undefined && authorizes === undefined) refuse(TpmRc.HANDLE, blamed);
  if (session?.kind === "trial") refuse(TpmRc.ATTRIBUTES, blamed);
  if (session !== undefined && session.daBound !== "no") checkNotLocked(tpm, session.daBound === "lockout");
  return blaming(blamed, () => {
    const extra = i === 0 && authorizes !== undefined ? extraNonces(tpm, area) : [];
    if (authorizes !== undefined) return checkAuthorization(tpm, command, { input, session, authorizes, i, extra });
    if (!has(input, Bit.DECRYPT | Bit.ENCRYPT | Bit.AUDIT)) refuse(TpmRc.ATTRIBUTES);
    const used: UsedSession = { input, session, authorizes, includeAuth: false, byPassword: false };
    checkSecret(tpm, command, used, extra);
    return used;
  });
}

/** Nonces of sessions other than the first that encrypt: the first authorization covers them, Part 1, 19.6.5. */
function extraNonces(tpm: Machine, { inputs, decrypt, encrypt }: AuthorizationArea): readonly Uint8Array[] {
  if (decrypt === undefined && encrypt === undefined) return [];
  const others = new Set([decrypt, encrypt].filter((index) => index !== undefined && index !== 0));
  return [...others].map((index) => {
    const handle = inputs[index ?? 0]?.sessionHandle ?? TpmRh.NULL;
    return tpm.ram.sessions.get(handle)?.nonceTpm ?? new Uint8Array(0);
  });
}

interface Claim {
  readonly input: TpmsAuthCommand;
  readonly session: Session | undefined;
  readonly authorizes: number;
  readonly i: number;
  readonly extra: readonly Uint8Array[];
}

function checkAuthorization(
  tpm: Machine,
  command: CommandUnderWay,
  { input, session, authorizes, i, extra }: Claim,
): UsedSession {
  const includeAuth = usesAuthValue(tpm, session, authorizes);
  if (includeAuth && isDaProtected(tpm, authorizes)) checkNotLocked(tpm, authorizes === TpmRh.LOCKOUT);
  const role = { tpm, command, handle: authorizes, admin: command.spec.handles[i]?.auth === "admin" };
  if (session?.kind === "policy") {
    if (!isPolicyAvailable(role)) refuse(TpmRc.AUTH_UNAVAILABLE);
    checkPolicy(role, session);
  } else {
    if (isPolicyRequired(role)) refuse(TpmRc.AUTH_TYPE);
    if (!isAuthValueAvailable(role)) refuse(TpmRc.AUTH_UNAVAILABLE);
  }
  const byPassword = session?.kind === "policy" && session.policy.authValue === "password";
  const used: UsedSession = { input, session, authorizes, includeAuth, byPassword };
  checkSecret(tpm, command, used, extra);
  return used;
}

/** An HMAC session that is bound to the entity has its authValue in the session key already; a policy says whether it wants it. */
function usesAuthValue(tpm: Machine, session: Session | undefined, handle: number): boolean {
  if (session === undefined) return true;
  if (session.kind !== "hmac") return session.policy.authValue !== "none";
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
  if (!isObjectHandle(handle)) return true;
  const object = objectAt(tpm, handle);
  if (object.kind === "sequence") return true;
  if (object.sensitive === undefined) return false;
  const attributes = objectAttributes(tpm, handle);
  return (
    (attributes & TpmaObjectBit.USER_WITH_AUTH) !== 0 || (admin && (attributes & TpmaObjectBit.ADMIN_WITH_POLICY) === 0)
  );
}

function isPolicyAvailable({ tpm, command, handle, admin }: Role): boolean {
  if (isIndexHandle(handle)) {
    const needed = isNvWrite(command) ? TpmaNvBit.POLICYWRITE : TpmaNvBit.POLICYREAD;
    const { attributes, authPolicy: policy } = indexAt(tpm, handle).publicArea;
    return policy.byteLength > 0 && (admin || (attributes & needed) !== 0);
  }
  if (!isObjectHandle(handle)) return mayHavePolicy(handle);
  const object = objectAt(tpm, handle);
  return object.kind === "key" && object.sensitive !== undefined;
}

const NV_WRITES: readonly number[] = [TpmCc.NV_Write, TpmCc.NV_Increment, TpmCc.NV_Extend, TpmCc.NV_SetBits];

function isNvWrite({ spec }: CommandUnderWay): boolean {
  return NV_WRITES.includes(spec.code);
}

function objectAttributes(tpm: Machine, handle: number): number {
  const object = objectAt(tpm, handle);
  return object.kind === "key" ? object.area.objectAttributes : 0;
}

function checkPolicy({ tpm, command, handle, admin }: Role, session: Session): void {
  const { policy } = session;
  // The authorization of PolicySecret is by authValue; a policy without PolicyAuthValue or PolicyPassword proves none (Part 3, 23.4).
  if (command.spec.code === TpmCc.PolicySecret && policy.authValue === "none") refuse(TpmRc.MODE);
  if (policy.pcrCounter !== undefined && policy.pcrCounter !== tpm.ram.pcrs.updateCounter) refuse(TpmRc.PCR_CHANGED);
  const wanted = authPolicy(tpm, handle);
  if (wanted === undefined || !constantTimeEqual(policy.digest, wanted.digest)) refuse(TpmRc.POLICY_FAIL);
  if (wanted.hash !== session.hash) refuse(TpmRc.POLICY_FAIL);
  if (hasExpired(session, policy.timeout, tpm.ram.time.time)) refuse(TpmRc.EXPIRED);
  if (policy.commandCode !== undefined && policy.commandCode !== command.spec.code) refuse(TpmRc.POLICY_CC);
  if (policy.commandCode === undefined && admin) refuse(TpmRc.POLICY_FAIL); // Part 1, 19.2: ADMIN role wants PolicyCommandCode
  if (policy.cpHash.byteLength > 0 && !constantTimeEqual(policy.cpHash, cpHash(tpm, command, session)))
    refuse(TpmRc.POLICY_FAIL);
}

function checkSecret(tpm: Machine, command: CommandUnderWay, used: UsedSession, extra: readonly Uint8Array[]): void {
  const { input, session, authorizes } = used;
  const plain = session === undefined || used.byPassword;
  const expected = plain
    ? authValue(tpm, authorizes ?? TpmRh.NULL)
    : sessionHmac(
        tpm,
        used,
        () => cpHash(tpm, command, session),
        { newer: input.nonce, older: session.nonceTpm, extra },
        input.sessionAttributes,
      );
  const given = plain ? withoutTrailingZeros(input.hmac) : input.hmac;
  if (!constantTimeEqual(given, expected)) failSession(tpm, used);
}

/** Whether a wrong secret counts against dictionary attacks, and whose: Part 1, 19.8.5. */
function failSession(tpm: Machine, { session, authorizes, includeAuth }: UsedSession): never {
  const bound = session !== undefined && session.daBound !== "no";
  if (!bound && !(authorizes !== undefined && includeAuth && isDaProtected(tpm, authorizes))) refuse(TpmRc.BAD_AUTH);
  // Whatever the session is bound to: lockoutAuth is guessed once.
  const ofLockout = session?.daBound === "lockout" || authorizes === TpmRh.LOCKOUT;
  failAuthorization(tpm, ofLockout ? "lockout" : "entity");
}
