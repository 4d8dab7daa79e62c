import { concat, encode, u8, u32be } from "../../../shared/bytes/index.ts";
import { digest, hmac } from "../../../shared/crypto/index.ts";
import { TpmaSessionBit, TpmRc, type TpmsAuthCommand, type TpmsAuthResponse } from "../../../shared/tpm/index.ts";
import { authValue, entityName } from "./entity.ts";
import type { Machine } from "./machine.ts";
import { newPolicyState, type Session } from "./session.ts";
import type { CommandShape } from "./unmarshal.ts";

/** What sessions prove and how they go on: Part 1, 19.6. */

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

/** HMAC of a command or of a response: Part 1, 19.6.5. Empty where key and given HMAC are empty. */
export function sessionHmac(
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
export function cpHash(tpm: Machine, { spec, handles, parameters }: CommandUnderWay, { hash }: Session): Uint8Array {
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
