import type { HashName, RunningDigest } from "../../../shared/crypto/index.ts";
import { TpmaObjectBit, type TpmtPublic, type TpmtSensitive } from "../../../shared/tpm/index.ts";

/** A key or a data object in a slot, or one that is persistent: Part 1, 27. */
export interface KeyObject {
  readonly kind: "key";
  /** TPM_RH of the hierarchy. */
  readonly hierarchy: number;
  readonly area: TpmtPublic;
  /** undefined: only the public area was loaded (Part 3, 12.3). */
  readonly sensitive: TpmtSensitive | undefined;
  /** Loaded with TPM2_LoadExternal: no part of a hierarchy of keys. */
  readonly external: boolean;
  /** TPM2_Startup(CLEAR) ends it: it has stClear, or its parent ends so. */
  readonly stClear: boolean;
  readonly name: Uint8Array;
  readonly qualifiedName: Uint8Array;
  /** Set when the object was reached by its persistent handle. */
  readonly persistentHandle?: number;
}

/** A hash under way, Part 1, 32: one hash or HMAC, or of an event sequence those of all banks. */
export interface HashSequence {
  readonly kind: "sequence";
  readonly mode: "hash" | "hmac" | "event";
  readonly auth: Uint8Array;
  readonly hashes: readonly { readonly alg: HashName; readonly hash: RunningDigest }[];
  /** Whether the first piece shows that the data is no attestation; undefined: no piece came yet. */
  ticketSafe: boolean | undefined;
}

export type TpmObject = KeyObject | HashSequence;

/** TPM_PT_HR_TRANSIENT_MIN: PC Client PTP, 3.7. */
export const TRANSIENT_SLOTS = 3;
const FIRST_TRANSIENT = 0x8000_0000;

/** The transient objects. A persistent one takes a slot for the length of each command that uses it. */
export class ObjectSlots {
  readonly #slots: (TpmObject | undefined)[];
  #borrowed = 0;
  readonly #leaving: number[] = [];

  /** What is given of the slots is in them. */
  constructor(slots: readonly (TpmObject | undefined)[] = []) {
    this.#slots = Array.from({ length: TRANSIENT_SLOTS }, (_, i) => slots[i]);
  }

  get free(): number {
    return this.#slots.filter((slot) => slot === undefined).length - this.#borrowed;
  }

  /** For the command under way: false when no slot is free. */
  borrow(): boolean {
    if (this.free < 1) return false;
    this.#borrowed++;
    return true;
  }

  endOfCommand(): void {
    this.#borrowed = 0;
    for (const handle of this.#leaving.splice(0)) this.remove(handle);
  }

  /** Removes an object when the command has answered, which takes its authValue once more. */
  removeLater(handle: number): void {
    this.#leaving.push(handle);
  }

  /** A measured launch takes a slot for its hash, the first one if all are taken, as libtpms does: Part 1, 32.4.5. */
  makeRoom(): void {
    if (this.free < 1) this.#slots[0] = undefined;
  }

  /** Its handle; throws RangeError without a free slot, so ask first. */
  insert(object: TpmObject): number {
    const slot = this.#slots.indexOf(undefined);
    if (slot < 0 || this.free < 1) throw new RangeError("no free object slot");
    this.#slots[slot] = object;
    return FIRST_TRANSIENT + slot;
  }

  get(handle: number): TpmObject | undefined {
    return this.#slots[handle - FIRST_TRANSIENT];
  }

  remove(handle: number): boolean {
    const there = this.get(handle) !== undefined;
    if (there) this.#slots[handle - FIRST_TRANSIENT] = undefined;
    return there;
  }

  /** Removes the keys of some hierarchies. */
  removeOf(hierarchies: readonly number[]): void {
    this.#slots.forEach((slot, i) => {
      if (slot?.kind === "key" && hierarchies.includes(slot.hierarchy)) this.#slots[i] = undefined;
    });
  }

  /** What is in each slot. */
  all(): readonly (TpmObject | undefined)[] {
    return [...this.#slots];
  }

  handles(): readonly number[] {
    return this.#slots.flatMap((slot, i) => (slot === undefined ? [] : [FIRST_TRANSIENT + i]));
  }
}

/** Whether TPM2_Startup(CLEAR) ends an object of this area below `parent`: Part 2, 8.3.3.3. */
export function isStClear({ objectAttributes }: TpmtPublic, parent?: KeyObject): boolean {
  return (objectAttributes & TpmaObjectBit.ST_CLEAR) !== 0 || parent?.stClear === true;
}

/** The sensitive area of an object that is known to have it. */
export function sensitiveOf({ sensitive }: KeyObject): TpmtSensitive {
  if (sensitive === undefined) throw new RangeError("only the public area is loaded");
  return sensitive;
}

/** Whether a handle has the form of a transient object's: anything else in the range is malformed (libtpms). */
export function isTransientHandle(handle: number): boolean {
  return handle >= FIRST_TRANSIENT && handle < FIRST_TRANSIENT + TRANSIENT_SLOTS;
}
