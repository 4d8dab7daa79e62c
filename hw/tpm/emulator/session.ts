import { digestSize, type HashName } from "../../../shared/crypto/index.ts";
import { TpmHt } from "../../../shared/tpm/index.ts";

/** An authorization session, Part 1, 19.6. */
export interface Session {
  readonly handle: number;
  readonly kind: "hmac" | "policy" | "trial";
  readonly hash: HashName;
  readonly sessionKey: Uint8Array;
  /** Name and authValue of the entity that an HMAC session is bound to. */
  readonly boundEntity: Uint8Array | undefined;
  nonceTpm: Uint8Array;
  policy: PolicyState;
  /** TPM time in ms at the start, or at the last use as authorization. */
  startTime: bigint;
}

/** What the policy commands have gathered: Part 1, 19.7. */
export interface PolicyState {
  digest: Uint8Array;
  cpHash: Uint8Array;
  /** TPM time in ms; undefined: never. */
  timeout: bigint | undefined;
}

/** A policy session as it starts, and as it is again after each use. */
export function newPolicyState(hash: HashName): PolicyState {
  return { digest: new Uint8Array(digestSize(hash)), cpHash: new Uint8Array(0), timeout: undefined };
}

/** TPM_PT_HR_LOADED_MIN: PC Client PTP, 3.7. */
export const SESSION_SLOTS = 3;

export class SessionTable {
  readonly #slots: (Session | undefined)[] = Array.from({ length: SESSION_SLOTS });

  get free(): number {
    return this.#slots.filter((slot) => slot === undefined).length;
  }

  /** Makes a session with the handle that belongs to its kind; throws RangeError without a free slot, so ask first. */
  insert(kind: Session["kind"], make: (handle: number) => Session): Session {
    const slot = this.#slots.indexOf(undefined);
    if (slot < 0) throw new RangeError("no free session slot");
    const session = make(((kind === "hmac" ? TpmHt.HMAC_SESSION : TpmHt.POLICY_SESSION) << 24) + slot);
    this.#slots[slot] = session;
    return session;
  }

  /** By either of the two handle types: the slot counts. */
  get(handle: number): Session | undefined {
    return this.#slots[handle & 0x00ff_ffff];
  }

  remove(handle: number): boolean {
    const there = this.get(handle) !== undefined;
    if (there) this.#slots[handle & 0x00ff_ffff] = undefined;
    return there;
  }

  all(): readonly Session[] {
    return this.#slots.flatMap((slot) => slot ?? []);
  }
}
