import { mapped, struct, u8, u64be } from "../../../shared/bytes/index.ts";
import { TpmHt, TpmRc } from "../../../shared/tpm/index.ts";
import { refuse } from "./refusal.ts";
import type { Session } from "./session.ts";

/** Loaded and saved sessions: Part 1, 30.5. */

/** TPM_PT_HR_LOADED_MIN: PC Client PTP, 3.7. */
export const SESSION_SLOTS = 3;
/** TPM_PT_ACTIVE_SESSIONS_MAX: loaded and saved. */
export const ACTIVE_SESSIONS = 64;
/** TPM_PT_CONTEXT_GAP_MAX and one: two saved sessions whose ids are that far apart could not be told apart. */
export const CONTEXT_GAP = 0x1_0000n;
/** Ids that end in one of these values would look like those of loaded sessions, in libtpms' table. */
const RESERVED_IDS = BigInt(SESSION_SLOTS + 1);

/** A saved session as files keep it. */
export const SavedSession = struct("session", {
  index: mapped(
    u8,
    (index) => (index < ACTIVE_SESSIONS ? index : undefined),
    (index: number) => index,
  ),
  id: u64be,
});

/** One active session: its content, or the context id under which it was saved. */
type Entry = Session | bigint;

/** What Shutdown(STATE) keeps: the ids of the saved sessions, and the counter that they come from. */
export interface SavedSessions {
  readonly counter: bigint;
  readonly ids: readonly { readonly index: number; readonly id: bigint }[];
}

const isLoaded = (entry: Entry | undefined): entry is Session => typeof entry === "object";
const isSaved = (entry: Entry | undefined): entry is bigint => typeof entry === "bigint";

/** The index is the low part of a session's handle, whichever of the two handle types it has. */
const indexOf = (handle: number): number => handle & 0x00ff_ffff;
const handleOf = (kind: Session["kind"], index: number): number =>
  ((kind === "hmac" ? TpmHt.HMAC_SESSION : TpmHt.POLICY_SESSION) << 24) + index;

export class SessionTable {
  readonly #entries: (Entry | undefined)[] = Array.from({ length: ACTIVE_SESSIONS });
  #counter = RESERVED_IDS;
  /** Handle of the session that audited every command since its first use as an audit session: Part 1, 17.4. */
  exclusive: number | undefined;

  /** How many more can be loaded. */
  get free(): number {
    return SESSION_SLOTS - this.loaded().length;
  }

  /** How many more can be active. */
  get available(): number {
    return this.#entries.filter((entry) => entry === undefined).length;
  }

  /** Makes a session with a handle of its kind. Refuses when there is no room. */
  insert(kind: Session["kind"], make: (handle: number) => Session): Session {
    if (this.free < 1) refuse(TpmRc.SESSION_MEMORY);
    if (this.free === 1 && this.#atGap()) refuse(TpmRc.CONTEXT_GAP);
    const index = this.#entries.indexOf(undefined);
    if (index < 0) refuse(TpmRc.SESSION_HANDLES);
    const session = make(handleOf(kind, index));
    this.#entries[index] = session;
    return session;
  }

  /** A loaded session, by either of its two handles. */
  get(handle: number): Session | undefined {
    const entry = this.#entries[indexOf(handle)];
    return isLoaded(entry) ? entry : undefined;
  }

  /** A loaded or a saved one ends. False when there is none. */
  remove(handle: number): boolean {
    const index = indexOf(handle);
    if (this.#entries[index] === undefined) return false;
    this.#entries[index] = undefined;
    return true;
  }

  /** The session leaves its slot; gives the context id that alone brings it back. Refuses at the gap. */
  save(handle: number): bigint {
    if (this.#atGap()) refuse(TpmRc.CONTEXT_GAP);
    const id = this.#counter;
    this.#entries[indexOf(handle)] = id;
    this.#counter++;
    if (this.#counter % CONTEXT_GAP === 0n) this.#counter += RESERVED_IDS;
    return id;
  }

  /** Whether this is the latest context of a saved session. */
  isLatest(handle: number, id: bigint): boolean {
    return this.#entries[indexOf(handle)] === id;
  }

  /** A saved session comes back under its handle. Refuses when there is no room for it. */
  load(session: Session): void {
    const index = indexOf(session.handle);
    if (this.free < 1) refuse(TpmRc.SESSION_MEMORY);
    if (this.free === 1 && this.#atGap() && index !== this.#oldest()?.index) refuse(TpmRc.CONTEXT_GAP);
    this.#entries[index] = session;
  }

  loaded(): readonly Session[] {
    return this.#entries.filter(isLoaded);
  }

  /** The saved ones, by their indices. */
  saved(): SavedSessions {
    const ids = this.#entries.flatMap((entry, index) => (isSaved(entry) ? { index, id: entry } : []));
    return { counter: this.#counter, ids };
  }

  /** TPM Resume and TPM Restart: contexts that were saved before are good. */
  restore({ counter, ids }: SavedSessions): void {
    this.#counter = counter;
    for (const { index, id } of ids) this.#entries[index] = id;
  }

  /** The table whose saved and loaded sessions these are. Throws RangeError when they are no table's. */
  static of(saved: SavedSessions, loaded: readonly Session[], exclusive: number | undefined): SessionTable {
    const table = new SessionTable();
    table.restore(saved);
    for (const session of loaded) {
      const { handle, kind } = session;
      const index = indexOf(handle);
      const fits = index < ACTIVE_SESSIONS && handle === handleOf(kind, index) && table.#entries[index] === undefined;
      if (!fits) throw new RangeError(`there is no place for session 0x${handle.toString(16)}`);
      table.#entries[index] = session;
    }
    table.exclusive = exclusive;
    return table;
  }

  #oldest(): SavedSessions["ids"][number] | undefined {
    return this.saved().ids.reduce<SavedSessions["ids"][number] | undefined>(
      (oldest, one) => (oldest === undefined || one.id < oldest.id ? one : oldest),
      undefined,
    );
  }

  /** The next id would look like that of the oldest saved session. */
  #atGap(): boolean {
    const oldest = this.#oldest();
    return oldest !== undefined && this.#counter % CONTEXT_GAP === oldest.id % CONTEXT_GAP;
  }
}
