import { encode, equal, u32be, u64be } from "../../../../shared/bytes/index.ts";
import { digest, digestSize } from "../../../../shared/crypto/index.ts";
import {
  type CommandParameters,
  commands,
  TpmCc,
  TpmlPcrSelection,
  TpmRc,
  TpmRh,
  TpmSt,
} from "../../../../shared/tpm/index.ts";
import { entityHierarchy, entityName } from "../entity.ts";
import { handler } from "../handler.ts";
import type { Machine } from "../machine.ts";
import { parameter, refuse } from "../refusal.ts";
import { hasExpired, newPolicyState, type Session } from "../session.ts";
import { authTicketDigest } from "../ticket.ts";
import { isSelection } from "./checks.ts";
import { implemented, selectedValues } from "./pcr.ts";

/** Part 3, 23: enhanced authorization. */

const NONE = new Uint8Array(0);

const secret = handler(
  commands.PolicySecret,
  { handles: ["entity", "policySession"] },
  ({ tpm, handle, parameters }) => {
    const { nonceTPM, cpHashA, policyRef, expiration } = parameters;
    const session = sessionAt(tpm, handle(1));
    const timeout = timeoutOf(tpm, session, parameters);
    if (session.kind !== "trial") {
      if (nonceTPM.byteLength !== 0 && !equal(nonceTPM, session.nonceTpm)) refuse(TpmRc.NONCE, parameter(1));
      if (hasExpired(session, timeout, tpm.ram.time.time)) refuse(TpmRc.EXPIRED, parameter(4));
      checkCpHash(session, cpHashA);
    }
    const name = entityName(tpm, handle(0));
    extendPolicy(session, TpmCc.PolicySecret, name, policyRef);
    if (cpHashA.byteLength !== 0) session.policy.cpHash = cpHashA.slice();
    if (timeout !== undefined && (session.policy.timeout === undefined || timeout < session.policy.timeout))
      session.policy.timeout = timeout;
    if (expiration >= 0 || timeout === undefined || session.kind === "trial") {
      return {
        response: { timeout: NONE, policyTicket: { tag: TpmSt.AUTH_SECRET, hierarchy: TpmRh.NULL, digest: NONE } },
      };
    }
    const hierarchy = entityHierarchy(tpm, handle(0));
    const ticket = authTicketDigest(tpm, hierarchy, timeout, cpHashA, policyRef, name);
    return {
      response: {
        timeout: encode(u64be, timeout),
        policyTicket: { tag: TpmSt.AUTH_SECRET, hierarchy, digest: ticket },
      },
    };
  },
);

/**
 * TPM time in ms; expiration 0: never. The sign only says whether a ticket is wanted. With the session's nonce it counts from the
 * session's start, without from that of the TPM, where a second that has begun is still good to its end (Part 3, 23.2.2; libtpms).
 */
function timeoutOf(
  { ram }: Machine,
  session: Session,
  { nonceTPM, expiration }: CommandParameters<typeof commands.PolicySecret>,
): bigint | undefined {
  if (expiration === 0) return undefined;
  const from = nonceTPM.byteLength === 0 ? ram.time.time % 1000n : session.startTime;
  return from + BigInt(Math.abs(expiration)) * 1000n;
}

function checkCpHash({ policy, hash }: Session, cpHashA: Uint8Array): void {
  if (cpHashA.byteLength === 0) return;
  if (policy.cpHash.byteLength !== 0 && !equal(policy.cpHash, cpHashA)) refuse(TpmRc.CPHASH);
  if (cpHashA.byteLength !== digestSize(hash)) refuse(TpmRc.SIZE, parameter(2));
}

/** PolicyUpdate(), Part 3, 23.2.3. */
function extendPolicy(session: Session, code: number, name: Uint8Array, policyRef: Uint8Array): void {
  const first = digest(session.hash, session.policy.digest, encode(u32be, code), name);
  session.policy.digest = digest(session.hash, first, policyRef);
}

const getDigest = handler(commands.PolicyGetDigest, { handles: ["policySession"] }, ({ tpm, handle }) => ({
  response: { policyDigest: sessionAt(tpm, handle(0)).policy.digest },
}));

function sessionAt(tpm: Machine, handle: number): Session {
  const session = tpm.ram.sessions.get(handle);
  if (session === undefined) throw new RangeError(`no session 0x${handle.toString(16)}`);
  return session;
}

const restart = handler(commands.PolicyRestart, { handles: ["policySession"] }, ({ tpm, handle }) => {
  const session = sessionAt(tpm, handle(0));
  session.policy = newPolicyState(session.hash);
  return { response: {} };
});

/** Extends the policy digest with the command's code and its arguments: PolicyUpdate() of most commands. */
function extend(session: Session, code: number, ...args: readonly Uint8Array[]): void {
  session.policy.digest = digest(session.hash, session.policy.digest, encode(u32be, code), ...args);
}

const pcr = handler(
  commands.PolicyPCR,
  { handles: ["policySession"], values: { pcrs: isSelection } },
  ({ tpm, handle, parameters: { pcrDigest, pcrs } }) => {
    const session = sessionAt(tpm, handle(0));
    const selection = implemented(pcrs);
    const current = digest(session.hash, ...selectedValues(tpm, selection));
    const { updateCounter } = tpm.ram.pcrs;
    if (session.kind !== "trial") {
      if (session.policy.pcrCounter !== undefined && session.policy.pcrCounter !== updateCounter)
        refuse(TpmRc.PCR_CHANGED);
      if (pcrDigest.byteLength !== 0 && !equal(pcrDigest, current)) refuse(TpmRc.VALUE, parameter(1));
      session.policy.pcrCounter = updateCounter;
    }
    // A trial may state what the PCRs will be.
    const stated = session.kind === "trial" && pcrDigest.byteLength !== 0 ? pcrDigest : current;
    extend(session, TpmCc.PolicyPCR, encode(TpmlPcrSelection, selection), stated);
    return { response: {} };
  },
);

const or = handler(commands.PolicyOR, { handles: ["policySession"] }, ({ tpm, handle, parameters: { pHashList } }) => {
  const session = sessionAt(tpm, handle(0));
  const isBranch = pHashList.some((branch) => equal(branch, session.policy.digest));
  if (session.kind !== "trial" && !isBranch) refuse(TpmRc.VALUE, parameter(1));
  session.policy.digest = new Uint8Array(digestSize(session.hash));
  extend(session, TpmCc.PolicyOR, ...pHashList);
  return { response: {} };
});

/** The session then authorizes by the entity's authValue, as an HMAC key or in clear. Both have one digest: Part 3, 23.18. */
function byAuthValue(spec: typeof commands.PolicyAuthValue, how: "hmac" | "password") {
  return handler(spec, { handles: ["policySession"] }, ({ tpm, handle }) => {
    const session = sessionAt(tpm, handle(0));
    extend(session, TpmCc.PolicyAuthValue);
    session.policy.authValue = how;
    return { response: {} };
  });
}

/** `isImplemented` tells of the list of all commands, which this one is on itself. */
function commandCode(isImplemented: (code: number) => boolean) {
  return handler(
    commands.PolicyCommandCode,
    { handles: ["policySession"] },
    ({ tpm, handle, parameters: { code } }) => {
      const session = sessionAt(tpm, handle(0));
      const { policy } = session;
      if (policy.commandCode !== undefined && policy.commandCode !== code) refuse(TpmRc.VALUE, parameter(1));
      if (!isImplemented(code)) refuse(TpmRc.POLICY_CC, parameter(1));
      extend(session, TpmCc.PolicyCommandCode, encode(u32be, code));
      policy.commandCode = code;
      return { response: {} };
    },
  );
}

export function policyCommands(isImplemented: (code: number) => boolean) {
  return [
    secret,
    or,
    pcr,
    commandCode(isImplemented),
    byAuthValue(commands.PolicyAuthValue, "hmac"),
    byAuthValue(commands.PolicyPassword, "password"),
    getDigest,
    restart,
  ] as const;
}
