import { encode, equal, u32be, u64be } from "../../../../shared/bytes/index.ts";
import { digest, digestSize } from "../../../../shared/crypto/index.ts";
import { commands, TpmCc, TpmRc, TpmRh, TpmSt } from "../../../../shared/tpm/index.ts";
import { entityName } from "../entity.ts";
import { handler } from "../handler.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import { parameter, refuse } from "../refusal.ts";
import type { Session } from "../session.ts";
import { authTicketDigest } from "../ticket.ts";

/** Part 3, 23: enhanced authorization. */

const NONE = new Uint8Array(0);

const secret = handler(
  commands.PolicySecret,
  { handles: ["entity", "policySession"] },
  ({ tpm, handle, parameters }) => {
    const { nonceTPM, cpHashA, policyRef, expiration } = parameters;
    const session = sessionAt(tpm, handle(1));
    const timeout = timeoutOf(session, expiration);
    if (session.kind !== "trial") {
      if (nonceTPM.byteLength !== 0 && !equal(nonceTPM, session.nonceTpm)) refuse(TpmRc.NONCE, parameter(1));
      if (timeout !== undefined && timeout < tpm.ram.time.time) refuse(TpmRc.EXPIRED, parameter(4));
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
    const hierarchy = hierarchyOf(tpm, handle(0)) === undefined ? TpmRh.OWNER : handle(0);
    const ticket = authTicketDigest(tpm, hierarchy, timeout, cpHashA, policyRef, name);
    return {
      response: {
        timeout: encode(u64be, timeout),
        policyTicket: { tag: TpmSt.AUTH_SECRET, hierarchy, digest: ticket },
      },
    };
  },
);

/** TPM time in ms; expiration 0: never. The sign only says whether a ticket is wanted (Part 3, 23.2.2). */
function timeoutOf(session: Session, expirationSeconds: number): bigint | undefined {
  return expirationSeconds === 0 ? undefined : session.startTime + BigInt(Math.abs(expirationSeconds)) * 1000n;
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

export const policyCommands = [secret, getDigest] as const;
