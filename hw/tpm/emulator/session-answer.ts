import { encode, u32be } from "../../../shared/bytes/index.ts";
import { digest, digestSize } from "../../../shared/crypto/index.ts";
import { TpmaSessionBit as Bit, TpmRc, type TpmsAuthResponse } from "../../../shared/tpm/index.ts";
import { authValue } from "./entity.ts";
import type { Machine } from "./machine.ts";
import { encryptFirst } from "./parameter-encryption.ts";
import { newPolicyState, type Session } from "./session.ts";
import { type CommandUnderWay, sessionHmac, type UsedSession } from "./session-hmac.ts";

/** How sessions answer and go on: Part 1, 19.6.6 and 17. */

const NONE = new Uint8Array(0);

/** What `authorize` found out about the sessions of a command. */
export interface Authorized {
  readonly used: readonly UsedSession[];
  /** The session that encrypts the response; undefined: none. */
  readonly encrypts: UsedSession | undefined;
  /** cpHash for the audit session; undefined: there is none. */
  readonly auditedCommand: Uint8Array | undefined;
}

export interface Answer {
  /** With the first one encrypted, where a session asked for it. */
  readonly parameters: Uint8Array;
  readonly sessions: readonly TpmsAuthResponse[];
}

/** New nonces, encryption, audit, HMACs, in this order; spent policies are reset and ended sessions flushed. */
export function answerSessions(
  tpm: Machine,
  command: CommandUnderWay,
  { used, encrypts, auditedCommand }: Authorized,
  parameters: Uint8Array,
): Answer {
  for (const { session } of used)
    if (session !== undefined) session.nonceTpm = tpm.random.bytes(session.nonceTpm.byteLength);
  const encrypted = encrypts === undefined ? parameters : encryptResponse(tpm, encrypts, parameters);
  const rpHash = (session: Session) =>
    digest(session.hash, encode(u32be, TpmRc.SUCCESS), encode(u32be, command.spec.code), encrypted);
  if (auditedCommand === undefined) tpm.ram.sessions.exclusive = undefined;
  const sessions = used.map((one) => {
    const audits = one.session !== undefined && (one.input.sessionAttributes & Bit.AUDIT) !== 0;
    const attributes = audits ? audit(tpm, one, auditedCommand ?? NONE, rpHash) : one.input.sessionAttributes;
    return { one, attributes };
  });
  return {
    parameters: encrypted,
    sessions: sessions.map(({ one, attributes }) => answer(tpm, one, attributes, rpHash)),
  };
}

function encryptResponse(
  tpm: Machine,
  { session, input, authorizes }: UsedSession,
  parameters: Uint8Array,
): Uint8Array {
  if (session === undefined) return parameters;
  const auth = authorizes === undefined ? NONE : authValue(tpm, authorizes);
  return encryptFirst({ session, authValue: auth, newer: session.nonceTpm, older: input.nonce }, parameters);
}

/** Extends the audit digest; gives the attributes with AUDIT_EXCLUSIVE as it is now: Part 1, 17.4. */
function audit(
  tpm: Machine,
  { session, input }: UsedSession,
  cpHash: Uint8Array,
  rpHash: (session: Session) => Uint8Array,
): number {
  const { sessions } = tpm.ram;
  const { sessionAttributes } = input;
  if (session === undefined) return sessionAttributes;
  if (session.auditDigest === undefined || (sessionAttributes & Bit.AUDIT_RESET) !== 0) {
    session.boundEntity = undefined;
    session.auditDigest = new Uint8Array(digestSize(session.hash));
    sessions.exclusive = session.handle;
  } else if (sessions.exclusive !== session.handle) {
    sessions.exclusive = undefined;
  }
  session.auditDigest = digest(session.hash, session.auditDigest, cpHash, rpHash(session));
  const isExclusive = sessions.exclusive === session.handle;
  return isExclusive ? sessionAttributes | Bit.AUDIT_EXCLUSIVE : sessionAttributes & ~Bit.AUDIT_EXCLUSIVE;
}

function answer(
  tpm: Machine,
  one: UsedSession,
  sessionAttributes: number,
  rpHash: (session: Session) => Uint8Array,
): TpmsAuthResponse {
  const { session, input } = one;
  if (session === undefined)
    return { nonce: NONE, sessionAttributes: sessionAttributes | Bit.CONTINUE_SESSION, hmac: NONE };
  const nonces = { newer: session.nonceTpm, older: input.nonce };
  const hmac = one.byPassword ? NONE : sessionHmac(tpm, one, () => rpHash(session), nonces, sessionAttributes);
  if ((sessionAttributes & Bit.CONTINUE_SESSION) === 0) tpm.ram.sessions.remove(session.handle);
  else if (session.kind === "policy") {
    session.policy = newPolicyState(session.hash);
    session.startTime = tpm.ram.time.time;
    session.ofThisCycle = true;
  }
  return { nonce: session.nonceTpm, sessionAttributes, hmac };
}
