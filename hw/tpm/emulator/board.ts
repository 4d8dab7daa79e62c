import { createDigest } from "../../../shared/crypto/index.ts";
import type { Engine } from "./engine.ts";
import { PCR_BANKS } from "./pcr.ts";

/**
 * What stands around a TPM chip: power, the bus with its locality, and the chipset that sends a dynamic launch piece by piece. The
 * pieces of `TpmPlatform`, and more: what swtpm's control channel can do (swtpm/tpm_ioctl.h).
 */
export interface TpmBoard {
  /** Whether the TPM has power. */
  readonly powered: boolean;
  /** Of the commands that follow, 0..4. */
  locality: number;
  /** TPMEstablished: see Engine. */
  readonly established: boolean;
  clearEstablished(): void;
  /** Never throws. Without power the answer is TPM_RC_FAILURE. */
  execute(command: Uint8Array): Uint8Array;
  /**
   * Power goes, if it was there, and comes. A stored volatile state goes on then, each time until it is forgotten. Throws
   * StateDirectoryError when it is damaged; the TPM is without power then.
   */
  powerCycle(): void;
  powerOff(): void;
  /** Of a TPM with power, what power takes away. False when a hash is under way, or the state cannot be written. */
  storeVolatile(): boolean;
  /** Throws StateDirectoryError when it cannot be removed. */
  forgetVolatile(): void;
  /** _TPM_Hash_Start; one that was under way is forgotten. */
  hashStart(): void;
  /** _TPM_Hash_Data; ignored without a start, as the interface has no way to answer. */
  hashData(piece: Uint8Array): void;
  /** _TPM_Hash_End; likewise. */
  hashEnd(): void;
}

export const MAX_LOCALITY = 4;

export function createBoard(engine: Engine): TpmBoard {
  const start = () => new Map(PCR_BANKS.map((bank) => [bank, createDigest(bank)] as const));
  let hashing: ReturnType<typeof start> | undefined;
  return {
    get powered() {
      return engine.powered;
    },
    get locality() {
      return engine.locality;
    },
    set locality(locality) {
      if (!Number.isInteger(locality) || locality < 0 || locality > MAX_LOCALITY)
        throw new RangeError(`there is no locality ${locality}`);
      engine.locality = locality;
    },
    get established() {
      return engine.established;
    },
    clearEstablished() {
      engine.established = false;
    },
    execute: (command) => engine.execute(command),
    powerCycle() {
      hashing = undefined;
      engine.powerCycle();
    },
    powerOff() {
      hashing = undefined;
      engine.powerOff();
    },
    storeVolatile: () => hashing === undefined && engine.storeVolatile(),
    forgetVolatile: () => engine.forgetVolatile(),
    hashStart() {
      hashing = start();
      engine.established = true;
    },
    hashData(piece) {
      for (const running of hashing?.values() ?? []) running.update(piece);
    },
    hashEnd() {
      const finished = hashing;
      hashing = undefined;
      if (finished === undefined) return;
      const digests = new Map([...finished].map(([bank, running]) => [bank, running.finish()]));
      engine.launch(digests);
    },
  };
}
