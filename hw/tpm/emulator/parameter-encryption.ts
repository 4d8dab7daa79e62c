import { concat, Reader } from "../../../shared/bytes/index.ts";
import { aesCfbDecrypt, aesCfbEncrypt, kdfa } from "../../../shared/crypto/index.ts";
import { TpmAlg, TpmRc } from "../../../shared/tpm/index.ts";
import { refuse } from "./refusal.ts";
import type { Session } from "./session.ts";

/** Session-based encryption of the first parameter: Part 1, 21. */

const SIZE_BYTES = 2;
const KEY_BYTES = 16;
const BLOCK_BYTES = 16;

/** What both directions need. `newer` and `older` are nonceCaller and nonceTPM of a command, and the other way round in a response. */
export interface Encryption {
  readonly session: Session;
  /** authValue of the entity that the session authorizes; empty when it authorizes none. */
  readonly authValue: Uint8Array;
  readonly newer: Uint8Array;
  readonly older: Uint8Array;
}

/** The parameters with the first one in clear. Refuses with INSUFFICIENT or SIZE when it does not lie within them. */
export function decryptFirst(encryption: Encryption, parameters: Uint8Array): Uint8Array {
  return withFirst(parameters, (data) => transform(encryption, data, aesCfbDecrypt));
}

/** The parameters with the first one encrypted. */
export function encryptFirst(encryption: Encryption, parameters: Uint8Array): Uint8Array {
  return withFirst(parameters, (data) => transform(encryption, data, aesCfbEncrypt));
}

function withFirst(parameters: Uint8Array, change: (data: Uint8Array) => Uint8Array): Uint8Array {
  if (parameters.byteLength < SIZE_BYTES) refuse(TpmRc.INSUFFICIENT);
  const size = new Reader(parameters).u16be();
  const end = SIZE_BYTES + size;
  if (end > parameters.byteLength) refuse(TpmRc.SIZE);
  return concat(
    parameters.subarray(0, SIZE_BYTES),
    change(parameters.subarray(SIZE_BYTES, end)),
    parameters.subarray(end),
  );
}

function transform(
  { session, authValue, newer, older }: Encryption,
  data: Uint8Array,
  cfb: typeof aesCfbEncrypt,
): Uint8Array {
  const secret = concat(session.sessionKey, authValue);
  const { symmetric } = session;
  if (symmetric.algorithm === TpmAlg.AES) {
    const made = kdfa(session.hash, secret, "CFB", newer, older, (KEY_BYTES + BLOCK_BYTES) * 8);
    return cfb(made.subarray(0, KEY_BYTES), made.subarray(KEY_BYTES), data);
  }
  // XOR obfuscation, Part 1, 11.4.7.3: the mask is as long as the data.
  const mask = kdfa(session.hash, secret, "XOR", newer, older, data.byteLength * 8);
  return data.map((byte, i) => byte ^ (mask[i] ?? 0));
}
