import {
  decode,
  fixed,
  type Infer,
  list,
  oneOf,
  sized,
  struct,
  tagged,
  u8,
  u16be,
  u32be,
  u64be,
} from "../../../shared/bytes/index.ts";
import type { Random } from "../../../shared/ports/index.ts";
import { TpmaNvBit, TpmRh, TpmsNvPublic } from "../../../shared/tpm/index.ts";
import { checkedFile } from "./checked-file.ts";
import { ACTIVE_SESSIONS, SavedSession } from "./session-table.ts";

/** Limits of what the emulator keeps in NV. */
export const NvLimit = { INDICES: 64, PERSISTENT: 16, PRIMARIES: 16, INDEX_BYTES: 2048 } as const;

const SEED_BYTES = 32;
const PROOF_BYTES = 64;
const MAX_BLOB = 4096;

/** How the last power cycle ended: `none` by a cut, `daUsed` by a cut after a DA-protected key was used, else by TPM2_Shutdown. */
export const Orderly = { NONE: 0, DA_USED: 1, CLEAR: 2, STATE: 3 } as const;
export type Orderly = (typeof Orderly)[keyof typeof Orderly];

const blob = sized(u16be, MAX_BLOB);
const seed = fixed(SEED_BYTES);
const proof = fixed(PROOF_BYTES);
const short = sized(u8, 64);
/** A Name: algorithm and digest. */
const name = sized(u8, 2 + 64);
const flag = oneOf(u8, [0, 1]);

/** One primary seed, its proof and its authorization: Part 1, 13. */
export const HierarchyRecord = struct("hierarchy", { seed, proof, auth: short });
export type HierarchyRecord = Infer<typeof HierarchyRecord>;

/** An NV index: TPMS_NV_PUBLIC as marshalled, authValue and content. */
const IndexRecord = struct("index", { publicArea: blob, auth: short, data: blob });
type IndexRecord = Infer<typeof IndexRecord>;

/** A loaded or persistent key: TPMT_PUBLIC and TPMT_SENSITIVE as marshalled. */
const KeyRecord = struct("key", { hierarchy: u32be, qualifiedName: name, publicArea: blob, sensitive: blob });
export type KeyRecord = Infer<typeof KeyRecord>;

const PersistentKey = struct("persistentKey", { handle: u32be, key: KeyRecord });
/** A primary that was once made: making it again takes seconds on a TPM, and here an RSA key generation. */
const PrimaryRecord = struct("primary", { template: fixed(32), publicArea: blob, sensitive: blob });
type PrimaryRecord = Infer<typeof PrimaryRecord>;

/** Dictionary attack protection, Part 1, 19.8. Times in seconds. */
const Lockout = struct("lockout", {
  failedTries: u32be,
  maxTries: u32be,
  recoveryTime: u32be,
  lockoutRecovery: u32be,
  authEnabled: flag,
});

/** What a start left in PCR 0: TPM2_Startup at locality 0 or 3, or the launch before it. A resume wants the same (Part 3, 9.3). */
export const StartKind = { PLAIN: 0, LOCALITY_3: 1, H_CRTM: 2 } as const;
export type StartKind = (typeof StartKind)[keyof typeof StartKind];

/** What Shutdown(STATE) keeps for Startup(STATE). */
const SAVED = {
  sha1: blob,
  sha256: blob,
  sha384: blob,
  sha512: blob,
  pcrCounter: u32be,
  nullSeed: seed,
  nullProof: proof,
  platformAuth: short,
  sessions: struct("sessions", {
    counter: u64be,
    ids: list(u8, SavedSession, ACTIVE_SESSIONS),
  }),
  objectContexts: u64be,
  clearCount: u32be,
};
/** Form 1 is of versions that did not keep the kind of the start: they are taken for plain ones. */
const Saved = tagged("saved", "form", u8, { 0: {}, 1: SAVED, 2: { ...SAVED, start: oneOf(u8, [0, 1, 2]) } });
export type SavedState = Omit<Extract<Infer<typeof Saved>, { form: 2 }>, "form">;

const Body = struct("tpm", {
  owner: HierarchyRecord,
  endorsement: HierarchyRecord,
  platform: HierarchyRecord,
  lockoutAuth: short,
  resetCount: u32be,
  restartCount: u32be,
  clock: u64be,
  safe: flag,
  orderly: oneOf(u8, [0, 1, 2, 3]),
  saved: Saved,
  lockout: Lockout,
  /** TPM2_ClearControl. */
  disableClear: flag,
  /** The largest value that a deleted counter had: a new one goes on from there (Part 3, 31.8). */
  maxCounter: u64be,
  indices: list(u16be, struct("nv", { index: u32be, record: IndexRecord }), NvLimit.INDICES),
  persistent: list(u16be, PersistentKey, NvLimit.PERSISTENT),
  primaries: list(u16be, PrimaryRecord, NvLimit.PRIMARIES),
});
type Body = Infer<typeof Body>;

const VERSION = 2;
const StateFile = checkedFile("tpm-state", "FOBNTPM\0", VERSION, Body);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What survives power. Handlers change it in place; the engine saves it when the command ends. */
export interface NvState extends Mutable<Omit<Body, "indices" | "persistent" | "primaries" | "saved" | "lockout">> {
  saved: SavedState | undefined;
  lockout: Mutable<Infer<typeof Lockout>>;
  readonly indices: Map<number, IndexRecord>;
  readonly persistent: Map<number, KeyRecord>;
  readonly primaries: PrimaryRecord[];
}

/** A TPM fresh from the factory: seeds and proofs drawn, every authValue empty. */
export function newNvState(random: Random): NvState {
  return {
    endorsement: newHierarchy(random),
    owner: newHierarchy(random),
    platform: newHierarchy(random),
    lockoutAuth: new Uint8Array(0),
    resetCount: 0,
    restartCount: 0,
    clock: 0n,
    safe: 1,
    orderly: Orderly.CLEAR,
    saved: undefined,
    lockout: newLockout(),
    disableClear: 0,
    maxCounter: 0n,
    indices: new Map(),
    persistent: new Map(),
    primaries: [],
  };
}

const newLockout = () =>
  ({ failedTries: 0, maxTries: 3, recoveryTime: 1000, lockoutRecovery: 1000, authEnabled: 1 }) as const;

/** TPM2_Clear: what belonged to owner and endorsement hierarchy goes, with the seed of the first and both proofs (Part 3, 24.6). */
export function clearHierarchies(state: NvState, random: Random): void {
  const { endorsement, persistent, indices } = state;
  state.owner = newHierarchy(random);
  state.endorsement = { ...endorsement, proof: random.bytes(PROOF_BYTES), auth: new Uint8Array(0) };
  state.lockoutAuth = new Uint8Array(0);
  state.lockout = newLockout();
  state.resetCount = 0;
  state.restartCount = 0;
  state.primaries.length = 0;
  for (const [handle, { hierarchy }] of persistent) if (hierarchy !== TpmRh.PLATFORM) persistent.delete(handle);
  for (const [index, { publicArea }] of indices) {
    const { attributes } = decode(TpmsNvPublic, publicArea);
    if ((attributes & TpmaNvBit.PLATFORMCREATE) === 0) indices.delete(index);
  }
}

function newHierarchy(random: Random): HierarchyRecord {
  return { seed: random.bytes(SEED_BYTES), proof: random.bytes(PROOF_BYTES), auth: new Uint8Array(0) };
}

export function encodeNvState(state: NvState): Uint8Array {
  return StateFile.encode({
    ...state,
    saved: state.saved === undefined ? { form: 0 } : { ...state.saved, form: 2 },
    indices: [...state.indices].map(([index, record]) => ({ index, record })),
    persistent: [...state.persistent].map(([handle, key]) => ({ handle, key })),
  });
}

/** Throws CodecError when the bytes are no state of this version of the file. */
export function decodeNvState(bytes: Uint8Array): NvState {
  const { saved, lockout, indices, persistent, primaries, ...plain } = StateFile.decode(bytes);
  return {
    ...plain,
    saved: savedOf(saved),
    lockout: { ...lockout },
    indices: new Map(indices.map(({ index, record }) => [index, record])),
    persistent: new Map(persistent.map(({ handle, key }) => [handle, key])),
    primaries: [...primaries],
  };
}

function savedOf(saved: Infer<typeof Saved>): SavedState | undefined {
  if (saved.form === 0) return undefined;
  const { form: _form, ...kept } = saved;
  return "start" in kept ? kept : { ...kept, start: StartKind.PLAIN };
}
