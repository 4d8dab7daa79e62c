import type { Clock } from "../../../shared/ports/index.ts";

/** The clock is written to NV, and so becomes safe, at each multiple of this: Part 1, 36.3; libtpms has 2^12 ms. */
export const CLOCK_UPDATE_MS = 4096n;

export interface TimeImage {
  readonly time: bigint;
  readonly clock: bigint;
  readonly safe: boolean;
  readonly stored: bigint;
}

/** TPMS_TIME_INFO in parts: Part 1, 36. `stored` is what a power cut leaves. */
export class TpmTime {
  readonly #clock: Clock;
  /** Reading of the machine's clock at which `#time` and `#value` were right. */
  #read: number;
  #time: bigint;
  #value: bigint;
  #safe: boolean;
  #stored: bigint;

  /** Time runs on from `image`; what went by since it was taken is not known, and not counted. */
  constructor(clock: Clock, image: TimeImage) {
    this.#clock = clock;
    this.#read = clock.now();
    this.#time = image.time;
    this.#value = image.clock;
    this.#stored = image.stored;
    this.#safe = image.safe;
  }

  /** Milliseconds since power-on. */
  get time(): bigint {
    return this.#time;
  }

  /** Milliseconds that the TPM was on, ever. */
  get clock(): bigint {
    return this.#value;
  }

  /** No clock value that was reported since the last orderly shutdown can come again. */
  get safe(): boolean {
    return this.#safe;
  }

  /** The clock as NV has it. */
  get stored(): bigint {
    return this.#stored;
  }

  /** Brings the time up to now; true when the clock crossed a step and NV must be written. */
  update(): boolean {
    const elapsed = Math.floor(this.#clock.now() - this.#read);
    if (elapsed <= 0) return false;
    this.#read += elapsed;
    this.#time += BigInt(elapsed);
    const crossed = (this.#value + BigInt(elapsed)) / CLOCK_UPDATE_MS > this.#value / CLOCK_UPDATE_MS;
    this.#value += BigInt(elapsed);
    if (crossed) {
      this.#stored = this.#value;
      this.#safe = true;
    }
    return crossed;
  }

  /** TPM2_Clear begins the clock anew: Part 3, 24.6. */
  restart(): void {
    this.#value = 0n;
    this.#stored = 0n;
    this.#safe = true;
  }

  /** TPM2_Shutdown writes the clock as it is. */
  store(): void {
    this.#stored = this.#value;
  }
}
