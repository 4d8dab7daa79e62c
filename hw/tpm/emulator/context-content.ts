import { decode, encode } from "../../../shared/bytes/index.ts";
import { hashAlgOf, hashNameOf, nameOf, TpmtPublic, TpmtSensitive } from "../../../shared/tpm/index.ts";
import { type ContextContent, ObjectMark } from "./context.ts";
import type { Machine } from "./machine.ts";
import { isStClear, type KeyObject } from "./object.ts";
import type { Session } from "./session.ts";

/** Objects and sessions as what a context holds, and back. */

export type KeyContent = Extract<ContextContent, { kind: 0 }>;
export type SessionContent = Extract<ContextContent, { kind: 2 }>;

type WithNv = Pick<Machine, "nv">;

const SESSION_TYPES = ["hmac", "policy", "trial"] as const;
const DA_BOUND = ["no", "entity", "lockout"] as const;
const AUTH_VALUE = ["none", "hmac", "password"] as const;

export function keyContent({ hierarchy, qualifiedName, area, sensitive, external, stClear }: KeyObject): KeyContent {
  return {
    kind: 0,
    hierarchy,
    qualifiedName,
    publicArea: encode(TpmtPublic, area),
    sensitive: sensitive === undefined ? [] : [encode(TpmtSensitive, sensitive)],
    marks: (external ? ObjectMark.EXTERNAL : 0) | (stClear ? ObjectMark.ST_CLEAR : 0),
  };
}

export function keyOf(content: KeyContent): KeyObject {
  const area = decode(TpmtPublic, content.publicArea);
  const [sensitive] = content.sensitive;
  return {
    kind: "key",
    hierarchy: content.hierarchy,
    area,
    sensitive: sensitive === undefined ? undefined : decode(TpmtSensitive, sensitive),
    external: (content.marks & ObjectMark.EXTERNAL) !== 0,
    stClear: (content.marks & ObjectMark.ST_CLEAR) !== 0 || isStClear(area),
    name: nameOf(area),
    qualifiedName: content.qualifiedName,
  };
}

const list = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);

const powerCycle = ({ nv }: WithNv): bigint => (BigInt(nv.resetCount) << 32n) + BigInt(nv.restartCount);
const OTHER_CYCLE = 0xffff_ffff_ffff_ffffn;

export function sessionContent(tpm: WithNv, session: Session): SessionContent {
  const { policy } = session;
  return {
    kind: 2,
    handle: session.handle,
    type: place(SESSION_TYPES, session.kind),
    hashAlg: hashAlgOf(session.hash),
    sessionKey: session.sessionKey,
    symmetric: session.symmetric,
    boundEntity: list(session.boundEntity),
    daBound: place(DA_BOUND, session.daBound),
    nonceTpm: session.nonceTpm,
    auditDigest: list(session.auditDigest),
    startTime: session.startTime,
    powerCycle: session.ofThisCycle ? powerCycle(tpm) : OTHER_CYCLE,
    policy: {
      digest: policy.digest,
      cpHash: policy.cpHash,
      timeout: list(policy.timeout),
      commandCode: list(policy.commandCode),
      pcrCounter: list(policy.pcrCounter),
      authValue: place(AUTH_VALUE, policy.authValue),
    },
  };
}

function place<T>(all: readonly [T, T, T], one: T): 0 | 1 | 2 {
  return one === all[0] ? 0 : one === all[1] ? 1 : 2;
}

export function sessionOf(tpm: WithNv, saved: SessionContent): Session {
  const hash = hashNameOf(saved.hashAlg);
  if (hash === undefined) throw new RangeError("a session with an unknown hash was saved");
  const { policy } = saved;
  return {
    handle: saved.handle,
    kind: SESSION_TYPES[saved.type],
    hash,
    sessionKey: saved.sessionKey,
    symmetric: saved.symmetric,
    boundEntity: saved.boundEntity[0],
    daBound: DA_BOUND[saved.daBound],
    nonceTpm: saved.nonceTpm,
    auditDigest: saved.auditDigest[0],
    startTime: saved.startTime,
    ofThisCycle: saved.powerCycle === powerCycle(tpm),
    policy: {
      digest: policy.digest,
      cpHash: policy.cpHash,
      timeout: policy.timeout[0],
      commandCode: policy.commandCode[0],
      pcrCounter: policy.pcrCounter[0],
      authValue: AUTH_VALUE[policy.authValue],
    },
  };
}
