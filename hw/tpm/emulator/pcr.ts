import { concat } from "../../../shared/bytes/index.ts";
import { digest, digestSize, type HashName } from "../../../shared/crypto/index.ts";

/** TCG PC Client Platform TPM Profile, 4.6: 24 registers in each bank. */
export const PCR_COUNT = 24;

/** The banks, in the order in which TPM2_GetCapability lists them. */
export const PCR_BANKS = ["sha1", "sha256", "sha384", "sha512"] as const satisfies readonly HashName[];
export type PcrBank = (typeof PCR_BANKS)[number];

/** Where TPM2_Startup leaves the register: zero, or all ones until a dynamic launch (HASH_START) zeroes it. */
interface PcrRights {
  /** Kept over Shutdown(STATE), Startup(STATE). */
  readonly saved: boolean;
  /** Zeroed by a dynamic launch, all ones before. */
  readonly dynamic: boolean;
  /** Bit n: locality n may. */
  readonly extend: number;
  readonly reset: number;
  /** Changes move pcrUpdateCounter. */
  readonly counted: boolean;
}

const STATIC: PcrRights = { saved: true, dynamic: false, extend: 0b11111, reset: 0, counted: true };
const FREE: PcrRights = { saved: false, dynamic: false, extend: 0b11111, reset: 0b01111, counted: false };

/**
 * Who may do what to which register: TCG PC Client Platform TPM Profile, 4.6.2, and as libtpms has it. Reset at locality 4 is the
 * launch itself, never TPM2_PCR_Reset.
 */
const RIGHTS: readonly PcrRights[] = [
  ...Array.from({ length: 16 }, () => STATIC),
  FREE, // 16, debug
  { saved: false, dynamic: true, extend: 0b11100, reset: 0, counted: true }, // 17, the launched code
  { saved: false, dynamic: true, extend: 0b11100, reset: 0, counted: true }, // 18, its data
  { saved: false, dynamic: true, extend: 0b01100, reset: 0, counted: true }, // 19, trusted OS start-up
  { saved: false, dynamic: true, extend: 0b01110, reset: 0b00100, counted: true }, // 20, trusted OS
  { saved: false, dynamic: true, extend: 0b00100, reset: 0b00100, counted: false }, // 21 and 22, dynamic OS
  { saved: false, dynamic: true, extend: 0b00100, reset: 0b00100, counted: false },
  FREE, // 23, application
];

const H_CRTM_PCR = 0;
const DRTM_PCR = 17;

function rightsOf(pcr: number): PcrRights {
  const rights = RIGHTS[pcr];
  if (rights === undefined) throw new RangeError(`PCR ${pcr} does not exist`);
  return rights;
}

export function isStateSaved(pcr: number): boolean {
  return rightsOf(pcr).saved;
}

/** Whether `locality` may extend the register. */
export function mayExtend(pcr: number, locality: number): boolean {
  return ((rightsOf(pcr).extend >> locality) & 1) === 1;
}

/** Whether TPM2_PCR_Reset may be used on the register at `locality`. */
export function mayReset(pcr: number, locality: number): boolean {
  return ((rightsOf(pcr).reset >> locality) & 1) === 1;
}

/** Registers that a platform may give a policy: libtpms has such a group, and nobody gives it one. */
export function mayHavePolicy(pcr: number): boolean {
  return pcr >= 20 && pcr <= 22;
}

/** TPM_PT_PCR, Part 2, 6.14, as a mask of registers; undefined for a property that is none. */
export function pcrProperty(property: number): number | undefined {
  const mask = (holds: (rights: PcrRights) => boolean) =>
    RIGHTS.reduce((bits, rights, pcr) => (holds(rights) ? bits | (1 << pcr) : bits), 0);
  if (property === 0x00) return mask(({ saved }) => saved);
  // 1, 3, 5, ...: may be extended at locality 0, 1, 2, ...; 2, 4, 6, ...: may be reset there.
  if (property >= 0x01 && property <= 0x0a) {
    const locality = (property - 1) >> 1;
    if (property % 2 === 1) return mask(({ extend }) => ((extend >> locality) & 1) === 1);
    return mask(({ reset, dynamic }) => ((reset >> locality) & 1) === 1 || (locality === 4 && dynamic));
  }
  if (property === 0x11) return mask(({ counted }) => !counted);
  if (property === 0x12) return mask(({ dynamic }) => dynamic);
  // A policy and an authValue of their own, which nobody gives them.
  return property === 0x13 || property === 0x14
    ? RIGHTS.reduce((bits, _, pcr) => (mayHavePolicy(pcr) ? bits | (1 << pcr) : bits), 0)
    : undefined;
}

/** Registers of each bank, one behind the other: 0..15 as Shutdown(STATE) keeps them, or all. */
export type SavedBanks = Readonly<Record<PcrBank, Uint8Array>>;

const STATE_SAVED = 16;

/** Everything about the registers. */
export interface PcrImage {
  readonly banks: SavedBanks;
  readonly hCrtm: boolean;
  readonly counter: number;
}

/** The registers. Values that go out are copies. */
export class Pcrs {
  readonly #banks: ReadonlyMap<PcrBank, Uint8Array[]>;
  /** A launch was measured before TPM2_Startup: PCR 0 keeps that value (Part 1, 34.2). */
  #hCrtm = false;
  #counter = 0;

  constructor() {
    this.#banks = new Map(
      PCR_BANKS.map((bank) => [bank, Array.from({ length: PCR_COUNT }, () => new Uint8Array(digestSize(bank)))]),
    );
  }

  /** pcrUpdateCounter, Part 3, 22.4. */
  get updateCounter(): number {
    return this.#counter;
  }

  get hadHCrtm(): boolean {
    return this.#hCrtm;
  }

  read(bank: PcrBank, pcr: number): Uint8Array {
    return this.#register(bank, pcr).slice();
  }

  extend(bank: PcrBank, pcr: number, value: Uint8Array): void {
    this.#store(bank, pcr, digest(bank, concat(this.#register(bank, pcr), value)));
    this.#changed(pcr);
  }

  /** TPM2_Clear sets the registers' authorizations back, which counts as a change. */
  clearAuthorizations(): void {
    this.#counter++;
  }

  reset(pcr: number): void {
    this.#fill(pcr, 0);
    this.#changed(pcr);
  }

  /** TPM2_Startup at `locality`, going on from `counter`; with `saved` registers on resume. */
  startup(locality: number, counter: number, saved: SavedBanks | undefined): void {
    this.#counter = counter;
    for (let pcr = 0; pcr < PCR_COUNT; pcr++) {
      if (saved !== undefined && rightsOf(pcr).saved) {
        this.#restore(pcr, saved);
        continue;
      }
      this.#changed(pcr);
      if (pcr === H_CRTM_PCR && this.#hCrtm) continue;
      this.#fill(pcr, rightsOf(pcr).dynamic ? 0xff : 0);
      if (pcr === H_CRTM_PCR) this.#markLocality(locality);
    }
    this.#hCrtm = false;
  }

  /** _TPM_Hash_End with the digests of what was hashed: Part 1, 34.3. Before TPM2_Startup it is an H-CRTM and goes to PCR 0. */
  launch(digests: ReadonlyMap<PcrBank, Uint8Array>, started: boolean): void {
    if (started) {
      for (let pcr = 0; pcr < PCR_COUNT; pcr++) if (rightsOf(pcr).dynamic) this.#fill(pcr, 0);
    } else {
      this.#fill(H_CRTM_PCR, 0);
      this.#markLocality(4);
      this.#hCrtm = true;
    }
    for (const [bank, value] of digests) this.extend(bank, started ? DRTM_PCR : H_CRTM_PCR, value);
  }

  /** For Shutdown(STATE). */
  save(): SavedBanks {
    return this.#first(STATE_SAVED);
  }

  image(): PcrImage {
    return { banks: this.#first(PCR_COUNT), hCrtm: this.#hCrtm, counter: this.#counter };
  }

  static of({ banks, hCrtm, counter }: PcrImage): Pcrs {
    const pcrs = new Pcrs();
    for (let pcr = 0; pcr < PCR_COUNT; pcr++) pcrs.#restore(pcr, banks);
    pcrs.#hCrtm = hCrtm;
    pcrs.#counter = counter;
    return pcrs;
  }

  #first(count: number): SavedBanks {
    const bank = (name: PcrBank) => concat(...Array.from({ length: count }, (_, pcr) => this.#register(name, pcr)));
    return { sha1: bank("sha1"), sha256: bank("sha256"), sha384: bank("sha384"), sha512: bank("sha512") };
  }

  #restore(pcr: number, banks: SavedBanks): void {
    for (const bank of PCR_BANKS) {
      const size = digestSize(bank);
      this.#store(bank, pcr, banks[bank].slice(pcr * size, (pcr + 1) * size));
    }
  }

  #markLocality(locality: number): void {
    for (const bank of PCR_BANKS) this.#register(bank, H_CRTM_PCR).fill(locality, digestSize(bank) - 1);
  }

  #fill(pcr: number, byte: number): void {
    for (const bank of PCR_BANKS) this.#register(bank, pcr).fill(byte);
  }

  #changed(pcr: number): void {
    if (rightsOf(pcr).counted) this.#counter++;
  }

  #register(bank: PcrBank, pcr: number): Uint8Array {
    const register = this.#banks.get(bank)?.[pcr];
    if (register === undefined) throw new RangeError(`PCR ${pcr} of ${bank} does not exist`);
    return register;
  }

  #store(bank: PcrBank, pcr: number, value: Uint8Array): void {
    this.#register(bank, pcr).set(value);
  }
}
