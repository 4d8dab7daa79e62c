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
import { authValue, boundEntity } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { isTransientHandle } from "../object.ts";
import { openSecret } from "../protection.ts";
import { handle as blameHandle, parameter, Refusal, refuse } from "../refusal.ts";
import { newPolicyState, type Session } from "../session.ts";
import { checkHash, keyAt } from "./checks.ts";

/** Part 3, 11 and 28: sessions and the context area. */

const MIN_NONCE = 16;
const SESSION_HANDLES = 64;

const start = handler(
  commands.StartAuthSession,
  { handles: ["object+", "entity+"] },
  ({ tpm, handle, parameters: { nonceCaller, encryptedSalt, sessionType, symmetric, authHash } }) => {
    checkSymmetric(symmetric);
    const hash = checkHash(authHash, 5);
    if (nonceCaller.byteLength < MIN_NONCE || nonceCaller.byteLength > digestSize(hash))
      refuse(TpmRc.SIZE, parameter(1));
    const salt = openSalt(tpm, handle(0), encryptedSalt);
    if (symmetric.algorithm === TpmAlg.AES && symmetric.mode !== TpmAlg.CFB) refuse(TpmRc.MODE, parameter(4));
    if (tpm.ram.sessions.free < 1) refuse(TpmRc.SESSION_MEMORY);
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
      boundEntity: kind === "hmac" && bind !== TpmRh.NULL ? boundEntity(tpm, bind) : undefined,
      nonceTpm,
      policy: newPolicyState(hash),
      startTime: tpm.ram.time.time,
    }));
    return { handle: session.handle, response: { nonceTPM: nonceTpm } };
  },
);

const KINDS: Readonly<Record<0 | 1 | 3, Session["kind"]>> = {
  [TpmSe.HMAC]: "hmac",
  [TpmSe.POLICY]: "policy",
  [TpmSe.TRIAL]: "trial",
};

/** Values of TPMT_SYM_DEF that this TPM knows. */
function checkSymmetric(symmetric: TpmtSymDef): void {
  if (symmetric.algorithm === TpmAlg.XOR) checkHash(symmetric.hashAlg, 4);
  if (symmetric.algorithm !== TpmAlg.AES) return;
  if (symmetric.keyBits !== 128) refuse(TpmRc.VALUE, parameter(4));
  if (symmetric.mode < TpmAlg.CTR || symmetric.mode > TpmAlg.ECB) refuse(TpmRc.MODE, parameter(4));
}

function openSalt(tpm: Machine, tpmKey: number, encryptedSalt: Uint8Array): Uint8Array {
  if (tpmKey === TpmRh.NULL) {
    if (encryptedSalt.byteLength !== 0) refuse(TpmRc.VALUE, parameter(2));
    return new Uint8Array(0);
  }
  const key = keyAt(tpm, tpmKey, 1);
  if ((key.area.objectAttributes & TpmaObjectBit.DECRYPT) === 0) refuse(TpmRc.ATTRIBUTES, blameHandle(1));
  if (encryptedSalt.byteLength === 0) refuse(TpmRc.VALUE, parameter(2));
  try {
    return openSecret(key, "SECRET", encryptedSalt);
  } catch (error) {
    if (error instanceof Refusal) refuse(TpmRc.VALUE, parameter(2));
    throw error;
  }
}

/** The handle is a parameter: Part 3, 28.4. */
const flush = handler(commands.FlushContext, { noSessions: true }, ({ tpm, parameters: { flushHandle } }) => {
  const type = handleType(flushHandle);
  const isSession = type === TpmHt.HMAC_SESSION || type === TpmHt.POLICY_SESSION;
  const known = isSession ? (flushHandle & 0xff_ffff) < SESSION_HANDLES : isTransientHandle(flushHandle);
  if (!known) refuse(TpmRc.VALUE, parameter(1));
  const flushed = isSession ? tpm.ram.sessions.remove(flushHandle) : tpm.ram.objects.remove(flushHandle);
  if (!flushed) refuse(TpmRc.HANDLE, parameter(1));
  return { response: {} };
});

export const sessionCommands = [start, flush] as const;
