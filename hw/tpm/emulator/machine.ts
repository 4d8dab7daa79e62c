import type { Clock, Log, Random } from "../../../shared/ports/index.ts";
import { TpmRh } from "../../../shared/tpm/index.ts";
import { type HashSequence, ObjectSlots } from "./object.ts";
import { Pcrs } from "./pcr.ts";
import { SessionTable } from "./session-table.ts";
import { type HierarchyRecord, type NvState, Orderly, StartKind } from "./state.ts";
import { TpmTime } from "./time.ts";

/** What a power cycle wipes. */
export interface Ram {
  /** TPM2_Startup was seen. */
  started: boolean;
  /** Of that TPM2_Startup. */
  start: StartKind;
  readonly pcrs: Pcrs;
  readonly objects: ObjectSlots;
  readonly sessions: SessionTable;
  /** Saved sequences, whose hash cannot be put into bytes: as many as are kept, the oldest first. */
  readonly sequences: Map<bigint, HashSequence>;
  /** Number of the last object context: Part 1, 30.3.1. */
  objectContexts: bigint;
  /** TPM Restarts since the TPM Reset; contexts of objects with stClear do not outlive one. */
  clearCount: number;
  readonly time: TpmTime;
  /** A DA-protected authorization was used since power came: Part 1, 19.8.6. */
  daUsed: boolean;
  /** How the cycle before ended. */
  readonly previous: Orderly;
  nullHierarchy: HierarchyRecord;
  platformAuth: Uint8Array;
  /** `time` at which the last failed try was forgotten or counted, in ms. */
  selfHealAt: bigint;
  /** The same for lockoutAuth. */
  lockoutHealAt: bigint;
}

/** The TPM as the command handlers see it. */
export interface Machine {
  readonly random: Random;
  readonly log: Log | undefined;
  readonly nv: NvState;
  readonly ram: Ram;
  /** 0..4, of the command under way. */
  readonly locality: number;
  /** The NV state changed: the engine saves it before it answers. */
  nvChanged(): void;
  /** State changed that TPM2_Shutdown had saved: without another one the next start counts as after a cut (Part 1, 12.2.4). */
  noLongerOrderly(): void;
}

export function powerOnRam(clock: Clock, nv: NvState, random: Random): Ram {
  const orderly = nv.orderly === Orderly.CLEAR || nv.orderly === Orderly.STATE;
  return {
    started: false,
    start: StartKind.PLAIN,
    pcrs: new Pcrs(),
    objects: new ObjectSlots(),
    sessions: new SessionTable(),
    sequences: new Map(),
    objectContexts: 0n,
    clearCount: 0,
    time: new TpmTime(clock, { time: 0n, clock: nv.clock, stored: nv.clock, safe: nv.safe === 1 && orderly }),
    daUsed: false,
    previous: nv.orderly,
    nullHierarchy: { seed: random.bytes(32), proof: random.bytes(64), auth: new Uint8Array(0) },
    platformAuth: new Uint8Array(0),
    selfHealAt: 0n,
    lockoutHealAt: 0n,
  };
}

/** Seed, proof and authorization of a hierarchy; undefined for another handle. */
export function hierarchyOf(tpm: Machine, handle: number): HierarchyRecord | undefined {
  switch (handle) {
    case TpmRh.OWNER:
      return tpm.nv.owner;
    case TpmRh.ENDORSEMENT:
      return tpm.nv.endorsement;
    case TpmRh.PLATFORM:
      return { ...tpm.nv.platform, auth: tpm.ram.platformAuth };
    case TpmRh.NULL:
      return tpm.ram.nullHierarchy;
    default:
      return undefined;
  }
}
