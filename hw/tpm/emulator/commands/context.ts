import { commands, handleType, TpmHt, TpmRc, TpmRh, type TpmsContext } from "../../../../shared/tpm/index.ts";
import { openContext, SavedHandle, sealContext } from "../context.ts";
import { keyContent, keyOf, type SessionContent, sessionContent, sessionOf } from "../context-content.ts";
import { objectAt } from "../entity.ts";
import { handler } from "../handler.ts";
import { hierarchyOf, type Machine } from "../machine.ts";
import { type HashSequence, isTransientHandle } from "../object.ts";
import { parameter, refuse } from "../refusal.ts";
import { ACTIVE_SESSIONS } from "../session-table.ts";

/** Part 3, 28.1 to 28.4: the context area. */

/** Saved sequences that are kept; with more, the oldest cannot be loaded any longer. */
const MAX_SEQUENCES = 64;

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
  return sealContext(tpm, { sequence, savedHandle: handle, hierarchy: TpmRh.NULL }, sessionContent(tpm, session));
}

function saveObject(tpm: Machine, handle: number): TpmsContext {
  const object = objectAt(tpm, handle);
  const sequence = ++tpm.ram.objectContexts;
  if (object.kind === "sequence") {
    keepSequence(tpm, sequence, object);
    return sealContext(tpm, { sequence, savedHandle: SavedHandle.SEQUENCE, hierarchy: TpmRh.NULL }, { kind: 1 });
  }
  const savedHandle = object.stClear ? SavedHandle.ST_CLEAR : SavedHandle.OBJECT;
  return sealContext(tpm, { sequence, savedHandle, hierarchy: object.hierarchy }, keyContent(object));
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
    const object = content.kind === 0 ? keyOf(content) : tpm.ram.sequences.get(context.sequence);
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

function loadSession(tpm: Machine, { savedHandle, sequence }: TpmsContext, content: SessionContent): number {
  tpm.noLongerOrderly();
  if (!tpm.ram.sessions.isLatest(savedHandle, sequence)) refuse(TpmRc.HANDLE, parameter(1));
  tpm.ram.sessions.load(sessionOf(tpm, content));
  return savedHandle;
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
