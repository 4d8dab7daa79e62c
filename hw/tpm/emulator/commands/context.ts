import { decode, encode } from "../../../../shared/bytes/index.ts";
import {
  commands,
  handleType,
  hashAlgOf,
  hashNameOf,
  nameOf,
  TpmaObjectBit,
  TpmHt,
  TpmRc,
  TpmRh,
  type TpmsContext,
  TpmtPublic,
  TpmtSensitive,
} from "../../../../shared/tpm/index.ts";
import { type ContextContent, openContext, SavedHandle, sealContext } from "../context.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import { type HashSequence, isTransientHandle, type KeyObject } from "../object.ts";
import { parameter, refuse } from "../refusal.ts";
import type { Session } from "../session.ts";
import { ACTIVE_SESSIONS } from "../session-table.ts";

/** Part 3, 28.1 to 28.4: the context area. */

/** Saved sequences that are kept; with more, the oldest cannot be loaded any longer. */
const MAX_SEQUENCES = 64;

type SavedSession = Extract<ContextContent, { kind: 2 }>;
const SESSION_TYPES = ["hmac", "policy", "trial"] as const;
const DA_BOUND = ["no", "entity", "lockout"] as const;
const AUTH_VALUE = ["none", "hmac", "password"] as const;

const isSession = (handle: number) =>
  handleType(handle) === TpmHt.HMAC_SESSION || handleType(handle) === TpmHt.POLICY_SESSION;

const save = handler(commands.ContextSave, { handles: ["context"], noSessions: true, nv: true }, ({ tpm, handle }) => {
  tpm.noLongerOrderly();
  const saved = isSession(handle(0)) ? saveSession(tpm, handle(0)) : saveObject(tpm, handle(0));
  return { response: { context: saved } };
});

function saveSession(tpm: Machine, handle: number): TpmsContext {
  const session = tpm.ram.sessions.get(handle);
  if (session === undefined) throw new RangeError(`no session 0x${handle.toString(16)}`);
  const sequence = tpm.ram.sessions.save(handle);
  return sealContext(tpm, { sequence, savedHandle: handle, hierarchy: TpmRh.NULL }, ofSession(tpm, session));
}

function saveObject(tpm: Machine, handle: number): TpmsContext {
  const object = objectAt(tpm, handle);
  const sequence = ++tpm.ram.objectContexts;
  if (object.kind === "sequence") {
    keepSequence(tpm, sequence, object);
    return sealContext(tpm, { sequence, savedHandle: SavedHandle.SEQUENCE, hierarchy: TpmRh.NULL }, { kind: 1 });
  }
  const stClear = (object.area.objectAttributes & TpmaObjectBit.ST_CLEAR) !== 0;
  const savedHandle = stClear ? SavedHandle.ST_CLEAR : SavedHandle.OBJECT;
  return sealContext(tpm, { sequence, savedHandle, hierarchy: object.hierarchy }, ofKey(object));
}

const copyOf = (sequence: HashSequence): HashSequence => ({
  ...sequence,
  hashes: sequence.hashes.map(({ alg, hash }) => ({ alg, hash: hash.copy() })),
});

function keepSequence({ ram: { sequences } }: Machine, id: bigint, sequence: HashSequence): void {
  const [oldest] = sequences.keys();
  if (sequences.size >= MAX_SEQUENCES && oldest !== undefined) sequences.delete(oldest);
  sequences.set(id, copyOf(sequence));
}

const load = handler(
  commands.ContextLoad,
  { noSessions: true, nv: true, values: { context: isContext } },
  ({ tpm, parameters: { context } }) => {
    const content = openContext(tpm, context);
    if (content.kind === 2) return { handle: loadSession(tpm, context, content), response: {} };
    const object = content.kind === 0 ? toKey(content) : tpm.ram.sequences.get(context.sequence);
    if (object === undefined) refuse(TpmRc.INTEGRITY, parameter(1));
    if (tpm.ram.objects.free < 1) refuse(TpmRc.OBJECT_MEMORY);
    return { handle: tpm.ram.objects.insert(object.kind === "sequence" ? copyOf(object) : object), response: {} };
  },
);

/** TPMI_DH_SAVED and TPMI_RH_HIERARCHY+. */
function isContext({ savedHandle, hierarchy }: TpmsContext, tpm: Machine): void {
  const known = isSession(savedHandle)
    ? isActive(savedHandle)
    : Object.values<number>(SavedHandle).includes(savedHandle);
  if (!known || hierarchyOf(tpm, hierarchy) === undefined) refuse(TpmRc.VALUE);
}

const isActive = (handle: number) => (handle & 0xff_ffff) < ACTIVE_SESSIONS;

function loadSession(tpm: Machine, { savedHandle, sequence }: TpmsContext, content: SavedSession): number {
  tpm.noLongerOrderly();
  if (!tpm.ram.sessions.isLatest(savedHandle, sequence)) refuse(TpmRc.HANDLE, parameter(1));
  tpm.ram.sessions.load(toSession(tpm, content));
  return savedHandle;
}

function ofKey({ hierarchy, qualifiedName, area, sensitive, external }: KeyObject): ContextContent {
  return {
    kind: 0,
    hierarchy,
    qualifiedName,
    publicArea: encode(TpmtPublic, area),
    sensitive: sensitive === undefined ? [] : [encode(TpmtSensitive, sensitive)],
    external: external ? 1 : 0,
  };
}

function toKey(content: Extract<ContextContent, { kind: 0 }>): KeyObject {
  const area = decode(TpmtPublic, content.publicArea);
  const [sensitive] = content.sensitive;
  return {
    kind: "key",
    hierarchy: content.hierarchy,
    area,
    sensitive: sensitive === undefined ? undefined : decode(TpmtSensitive, sensitive),
    external: content.external === 1,
    name: nameOf(area),
    qualifiedName: content.qualifiedName,
  };
}

const list = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);

/** Policies that expire do so at the latest when the power goes: time begins anew then. */
const powerCycle = ({ nv }: Machine): bigint => (BigInt(nv.resetCount) << 32n) + BigInt(nv.restartCount);

function ofSession(tpm: Machine, session: Session): SavedSession {
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
    powerCycle: powerCycle(tpm),
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

function toSession(tpm: Machine, saved: SavedSession): Session {
  const hash = hashNameOf(saved.hashAlg);
  if (hash === undefined) throw new RangeError("a session with an unknown hash was saved");
  const { policy } = saved;
  const [timeout] = policy.timeout;
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
    policy: {
      digest: policy.digest,
      cpHash: policy.cpHash,
      timeout: timeout !== undefined && saved.powerCycle !== powerCycle(tpm) ? -1n : timeout,
      commandCode: policy.commandCode[0],
      pcrCounter: policy.pcrCounter[0],
      authValue: AUTH_VALUE[policy.authValue],
    },
  };
}

/** TPMI_DH_CONTEXT. */
function isContextHandle(handle: number): void {
  if (!(isSession(handle) ? isActive(handle) : isTransientHandle(handle))) refuse(TpmRc.VALUE);
}

/** The handle is a parameter: Part 3, 28.4. */
const flush = handler(
  commands.FlushContext,
  { noSessions: true, values: { flushHandle: isContextHandle } },
  ({ tpm, parameters: { flushHandle } }) => {
    const ofSession = isSession(flushHandle);
    const { sessions, objects } = tpm.ram;
    if (ofSession && sessions.exclusive === flushHandle) sessions.exclusive = undefined;
    const flushed = ofSession ? sessions.remove(flushHandle) : objects.remove(flushHandle);
    if (!flushed) refuse(TpmRc.HANDLE, parameter(1));
    return { response: {} };
  },
);

export const contextCommands = [save, load, flush] as const;
