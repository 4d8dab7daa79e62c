import { createStickFlash, type StickFlash, type Tear } from "../../attester/cli/twin/flash.ts";
import type { FlashGeometry } from "../../shared/ports/index.ts";
import { StickMemory } from "./memory.ts";

/** A stick: its flash, and what it must remember. */
export interface SimStick {
  readonly flash: StickFlash;
  readonly memory: StickMemory;
}

/** Small, so that old pages are erased while the story goes on. */
const GEOMETRY: FlashGeometry = { pageBytes: 4096, pages: 20 };

export function createSimStick(name: string, tear: Tear): SimStick {
  return { flash: createStickFlash(GEOMETRY, tear), memory: new StickMemory(name) };
}

/** Who learns of power that fails within a change of the flash, at once. */
export interface PowerWitness {
  failed(): void;
  returned(): void;
}

/**
 * The flash of whichever stick is in a computer's port. An empty port has a flash, too, on which nobody ever works. Power may fail again while
 * a stick starts: `failAgain` says after how many changes of its recovery, once for each start.
 */
export class Slot implements StickFlash {
  readonly geometry: FlashGeometry;
  readonly #makeEmpty: () => SimStick;
  readonly #witness: PowerWitness;
  #empty: SimStick | undefined;
  #stick: SimStick;
  #failures: number[] = [];
  /** Starts of a stick so far. */
  lives = 0;

  constructor(stick: SimStick | undefined, makeEmpty: () => SimStick, witness: PowerWitness) {
    this.#makeEmpty = makeEmpty;
    this.#witness = witness;
    this.#stick = stick ?? this.#nobodys;
    this.geometry = this.#stick.flash.geometry;
  }

  /** The next start of the twin's stick finds it. */
  insert(stick: SimStick | undefined): void {
    this.#stick = stick ?? this.#nobodys;
  }

  get #nobodys(): SimStick {
    this.#empty ??= this.#makeEmpty();
    return this.#empty;
  }

  get stick(): SimStick | undefined {
    return this.#stick === this.#empty ? undefined : this.#stick;
  }

  /** Of what the twin computes on, even when the port is empty. */
  get memory(): StickMemory {
    return this.#stick.memory;
  }

  failAgain(changes: readonly number[]): void {
    this.#failures = [...changes];
  }

  /** Power does not fail any more. */
  calm(): void {
    this.#failures = [];
    this.hasStarted();
  }

  read(at: number, size: number): Uint8Array {
    return this.#stick.flash.read(at, size);
  }

  program(at: number, data: Uint8Array): void {
    this.#stick.flash.program(at, data);
  }

  erase(page: number): void {
    this.#stick.flash.erase(page);
  }

  cutAfter(changes: number, onCut: () => void): void {
    this.#stick.flash.cutAfter(changes, () => {
      this.#witness.failed();
      onCut();
    });
  }

  powerUp(): void {
    this.lives += 1;
    this.#stick.flash.powerUp();
    this.#witness.returned();
    const again = this.#failures.shift();
    if (again !== undefined) this.#stick.flash.cutAfter(again, () => this.#witness.failed());
  }

  /** What it does from now on is no part of its start. */
  hasStarted(): void {
    this.#stick.flash.cutAfter(Number.POSITIVE_INFINITY, () => undefined);
  }
}
