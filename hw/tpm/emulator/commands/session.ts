import { concat } from "../../../../shared/bytes/index.ts";
import { digestSize, kdfa } from "../../../../shared/crypto/index.ts";
import {
  commands,
  handleType,
  TpmAlg,
  TpmaObjectBit,
  TpmHt,
  TpmRc,
  TpmRh,
  TpmSe,
  type TpmtSymDef,
} from "../../../../shared/tpm/index.ts";
import { authValue, boundEntity, isDaProtected, objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { openSecret } from "../protection.ts";
import { handle as blameHandle, parameter, Refusal, refuse } from "../refusal.ts";
import { newPolicyState, type Session } from "../session.ts";
import { hashOf, isHash, keyAt } from "./checks.ts";

/** Part 3, 11: sessions. */

const MIN_NONCE = 16;

const start = handler(
  commands.StartAuthSession,
  { handles: ["object+", "entity+"], values: { symmetric: isSymmetric, authHash: isHash } },
  ({ tpm, handle, parameters: { nonceCaller, encryptedSalt, sessionType, symmetric, authHash } }) => {
    const hash = hashOf(authHash);
    if (nonceCaller.byteLength < MIN_NONCE || nonceCaller.byteLength > digestSize(hash))
      refuse(TpmRc.SIZE, parameter(1));
    const salt = openSalt(tpm, handle(0), encryptedSalt);
    checkBindable(tpm, handle(1));
    if (symmetric.algorithm === TpmAlg.AES && symmetric.mode !== TpmAlg.CFB) refuse(TpmRc.MODE, parameter(4));
    const kind = KINDS[sessionType];
    const bind = handle(1);
    const nonceTpm = tpm.random.bytes(nonceCaller.byteLength);
    const secret = concat(bind === TpmRh.NULL ? new Uint8Array(0) : authValue(tpm, bind), salt);
    const keyed = bind !== TpmRh.NULL || handle(0) !== TpmRh.NULL;
    const sessionKey = keyed
      ? kdfa(hash, secret, "ATH", nonceTpm, nonceCaller, digestSize(hash) * 8)
      : new Uint8Array(0);
    const session = tpm.ram.sessions.insert(kind, (made) => ({
      handle: made,
      kind,
      hash,
      sessionKey,
      symmetric,
      boundEntity: kind === "hmac" && bind !== TpmRh.NULL ? boundEntity(tpm, bind) : undefined,
      daBound: daBinding(tpm, bind),
      nonceTpm,
      auditDigest: undefined,
      policy: newPolicyState(hash),
      startTime: tpm.ram.time.time,
      ofThisCycle: true,
    }));
    return { handle: session.handle, response: { nonceTPM: nonceTpm } };
  },
);

const KINDS: Readonly<Record<0 | 1 | 3, Session["kind"]>> = {
  [TpmSe.HMAC]: "hmac",
  [TpmSe.POLICY]: "policy",
  [TpmSe.TRIAL]: "trial",
};

function daBinding(tpm: Machine, bind: number): Session["daBound"] {
  if (bind === TpmRh.NULL || !isDaProtected(tpm, bind)) return "no";
  return bind === TpmRh.LOCKOUT ? "lockout" : "entity";
}

/** An entity without an authValue binds nothing. */
function checkBindable(tpm: Machine, bind: number): void {
  const type = handleType(bind);
  if (type !== TpmHt.TRANSIENT && type !== TpmHt.PERSISTENT) return;
  const object = objectAt(tpm, bind);
  if (object.kind === "key" && object.sensitive === undefined) refuse(TpmRc.HANDLE, blameHandle(2));
}

/** Values of TPMT_SYM_DEF that this TPM knows. */
function isSymmetric(symmetric: TpmtSymDef): void {
  if (symmetric.algorithm === TpmAlg.XOR) hashOf(symmetric.hashAlg);
  if (symmetric.algorithm !== TpmAlg.AES) return;
  if (symmetric.keyBits !== 128) refuse(TpmRc.VALUE);
  if (symmetric.mode < TpmAlg.CTR || symmetric.mode > TpmAlg.ECB) refuse(TpmRc.MODE);
}

function openSalt(tpm: Machine, tpmKey: number, encryptedSalt: Uint8Array): Uint8Array {
  if (tpmKey === TpmRh.NULL) {
    if (encryptedSalt.byteLength !== 0) refuse(TpmRc.VALUE, parameter(2));
    return new Uint8Array(0);
  }
  const key = keyAt(tpm, tpmKey, 1);
  if ((key.area.objectAttributes & TpmaObjectBit.DECRYPT) === 0) refuse(TpmRc.ATTRIBUTES, blameHandle(1));
  if (encryptedSalt.byteLength === 0) refuse(TpmRc.VALUE, parameter(2));
  if (key.sensitive === undefined) refuse(TpmRc.HANDLE, blameHandle(1));
  try {
    return openSecret(key, "SECRET", encryptedSalt);
  } catch (error) {
    if (error instanceof Refusal) refuse(TpmRc.VALUE, parameter(2));
    throw error;
  }
}

export const sessionCommands = [start] as const;
