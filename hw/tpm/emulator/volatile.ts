import {
  CodecError,
  fixed,
  type Infer,
  list,
  oneOf,
  sized,
  struct,
  u8,
  u32be,
  u64be,
} from "../../../shared/bytes/index.ts";
import { digestSize } from "../../../shared/crypto/index.ts";
import type { Clock } from "../../../shared/ports/index.ts";
import { checkedFile } from "./checked-file.ts";
import { ContextContent } from "./context.ts";
import { keyContent, keyOf, sessionContent, sessionOf } from "./context-content.ts";
import type { Machine, Ram } from "./machine.ts";
import { type KeyObject, ObjectSlots, TRANSIENT_SLOTS } from "./object.ts";
import { PCR_COUNT, type PcrBank, Pcrs } from "./pcr.ts";
import { ACTIVE_SESSIONS, SavedSession, SESSION_SLOTS, SessionTable } from "./session-table.ts";
import { HierarchyRecord, StartKind } from "./state.ts";
import { type TimeImage, TpmTime } from "./time.ts";

/** The volatile state in bytes, as swtpm's STORE_VOLATILE keeps it: for a TPM that goes on in another process. */

const flag = oneOf(u8, [0, 1]);
const bank = (name: PcrBank) => fixed(PCR_COUNT * digestSize(name));
const object = struct("object", { slot: u8, content: ContextContent });

const Body = struct("volatile", {
  /** 0: not yet; otherwise 1 + StartKind. */
  started: oneOf(u8, [0, 1, 2, 3]),
  established: flag,
  pcrs: struct("pcrs", {
    sha1: bank("sha1"),
    sha256: bank("sha256"),
    sha384: bank("sha384"),
    sha512: bank("sha512"),
    hCrtm: flag,
    counter: u32be,
  }),
  objects: list(u8, object, TRANSIENT_SLOTS),
  sessions: struct("sessions", {
    counter: u64be,
    saved: list(u8, SavedSession, ACTIVE_SESSIONS),
    loaded: list(u8, ContextContent, SESSION_SLOTS),
    exclusive: list(u8, u32be, 1),
  }),
  objectContexts: u64be,
  clearCount: u32be,
  time: struct("time", { time: u64be, clock: u64be, safe: flag, stored: u64be }),
  daUsed: flag,
  previous: oneOf(u8, [0, 1, 2, 3]),
  nullHierarchy: HierarchyRecord,
  platformAuth: sized(u8, 64),
  selfHealAt: u64be,
  lockoutHealAt: u64be,
});
export type VolatileState = Infer<typeof Body>;

const VERSION = 1;
export const VolatileFile = checkedFile("tpm-volatile", "FOBNVOL\0", VERSION, Body);

const STARTED = { [StartKind.PLAIN]: 1, [StartKind.LOCALITY_3]: 2, [StartKind.H_CRTM]: 3 } as const;
const bit = (value: boolean) => (value ? 1 : 0);
const maybe = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);

/**
 * undefined: a hash sequence is loaded, and a hash under way cannot be put into bytes. Contexts of sequences that were saved are not in
 * it: they do not load again.
 */
export function volatileOf(tpm: Pick<Machine, "nv" | "ram">, established: boolean): VolatileState | undefined {
  const { ram } = tpm;
  const { pcrs, objects, sessions, time } = ram;
  const slots = objects.all();
  if (slots.some((slot) => slot?.kind === "sequence")) return undefined;
  const keys = slots.map((slot) => (slot?.kind === "key" ? slot : undefined));
  const { banks, hCrtm, counter } = pcrs.image();
  return {
    ...ram,
    started: ram.started ? STARTED[ram.start] : 0,
    established: bit(established),
    pcrs: { ...banks, hCrtm: bit(hCrtm), counter },
    objects: keys.flatMap((key, slot) => (key === undefined ? [] : [{ slot, content: keyContent(key) }])),
    sessions: {
      counter: sessions.saved().counter,
      saved: sessions.saved().ids,
      loaded: sessions.loaded().map((session) => sessionContent(tpm, session)),
      exclusive: maybe(sessions.exclusive),
    },
    time: { time: time.time, clock: time.clock, safe: bit(time.safe), stored: time.stored },
    daUsed: bit(ram.daUsed),
  };
}

/** What went on when the state was stored goes on. Throws CodecError when it holds what no TPM does. */
export function ramOf(body: VolatileState, tpm: Pick<Machine, "nv">, clock: Clock): Ram {
  const { pcrs, sessions, time } = body;
  const loaded = sessions.loaded.map((content) => sessionOf(tpm, of(content, 2)));
  return {
    started: body.started !== 0,
    start: body.started < 2 ? StartKind.PLAIN : body.started === 2 ? StartKind.LOCALITY_3 : StartKind.H_CRTM,
    pcrs: Pcrs.of({ banks: pcrs, hCrtm: pcrs.hCrtm === 1, counter: pcrs.counter }),
    objects: new ObjectSlots(slotsOf(body)),
    sessions: SessionTable.of({ counter: sessions.counter, ids: sessions.saved }, loaded, sessions.exclusive[0]),
    sequences: new Map(),
    objectContexts: body.objectContexts,
    clearCount: body.clearCount,
    time: new TpmTime(clock, resumedTime(time, tpm.nv.clock)),
    daUsed: body.daUsed === 1,
    previous: body.previous,
    nullHierarchy: body.nullHierarchy,
    platformAuth: body.platformAuth,
    selfHealAt: body.selfHealAt,
    lockoutHealAt: body.lockoutHealAt,
  };
}

/**
 * The TPM may have run since the state was stored: its clock goes back no further than to what NV has, less than a step of 4096 ms. As
 * values of that step may come again, it is not safe until the next one begins.
 */
function resumedTime({ time, clock, stored }: VolatileState["time"], nvClock: bigint): TimeImage {
  const latest = (value: bigint) => (value < nvClock ? nvClock : value);
  return { time, clock: latest(clock), stored: latest(stored), safe: false };
}

function slotsOf({ objects }: VolatileState): readonly (KeyObject | undefined)[] {
  const slots: (KeyObject | undefined)[] = [];
  for (const { slot, content } of objects) {
    if (slot >= TRANSIENT_SLOTS) throw new CodecError(`there is no slot ${slot}`, "tpm-volatile.objects.slot", 0);
    slots[slot] = keyOf(of(content, 0));
  }
  return slots;
}

function of<K extends 0 | 2>(content: ContextContent, kind: K): Extract<ContextContent, { kind: K }> {
  if (isOf(content, kind)) return content;
  throw new CodecError(`kind ${content.kind} where ${kind} belongs`, "tpm-volatile.content", 0);
}

function isOf<K extends 0 | 2>(content: ContextContent, kind: K): content is Extract<ContextContent, { kind: K }> {
  return content.kind === kind;
}
