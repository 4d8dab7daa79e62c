import { concat, encode, u8, u32be } from "../../../shared/bytes/index.ts";
import { digest, hmac } from "../../../shared/crypto/index.ts";
import type { TpmsAuthCommand } from "../../../shared/tpm/index.ts";
import { authValue, entityName } from "./entity.ts";
import type { Machine } from "./machine.ts";
import type { Session } from "./session.ts";
import type { CommandShape } from "./unmarshal.ts";

/** What sessions prove: Part 1, 19.6. */

const NONE = new Uint8Array(0);

/** One session of the command under way. */
export interface UsedSession {
  readonly input: TpmsAuthCommand;
  /** undefined: a password. */
  readonly session: Session | undefined;
  /** The handle that it authorizes; undefined: none. */
  readonly authorizes: number | undefined;
  /** The authValue of that handle is part of the HMAC key, or is what a password is compared with. */
  readonly includeAuth: boolean;
  /** A policy that is satisfied by the authValue itself, in clear: Part 3, 23.18. */
  readonly byPassword: boolean;
}

/** The command as far as it was parsed. */
export interface CommandUnderWay {
  readonly spec: CommandShape;
  readonly handles: readonly number[];
  /** As they came: with the first one encrypted, if it was. */
  readonly parameters: Uint8Array;
}

/**
 * HMAC of a command or of a response: Part 1, 19.6.5. Empty where key and given HMAC are empty. `extra` are the nonces of other
 * sessions that encrypt, which the first authorization covers (Part 1, 19.6.5, nonceTPM_decrypt and nonceTPM_encrypt).
 */
export function sessionHmac(
  tpm: Machine,
  { session, authorizes, includeAuth, input }: UsedSession,
  parametersHash: () => Uint8Array,
  nonces: { readonly newer: Uint8Array; readonly older: Uint8Array; readonly extra?: readonly Uint8Array[] },
  attributes: number,
): Uint8Array {
  if (session === undefined) return NONE;
  const auth = includeAuth && authorizes !== undefined ? authValue(tpm, authorizes) : NONE;
  const key = concat(session.sessionKey, auth);
  if (key.byteLength === 0 && input.hmac.byteLength === 0) return NONE;
  const { newer, older, extra = [] } = nonces;
  return hmac(session.hash, key, parametersHash(), newer, older, ...extra, encode(u8, attributes));
}

/** Part 1, 16.7. */
export function cpHash(tpm: Machine, { spec, handles, parameters }: CommandUnderWay, { hash }: Session): Uint8Array {
  return digest(hash, encode(u32be, spec.code), ...handles.map((handle) => entityName(tpm, handle)), parameters);
}
