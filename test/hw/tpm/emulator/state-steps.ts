/** Numbered writes of a TPM's state, and what the state holds after each: an NV index, a persistent key and the clock in turns. */
import type { NvState } from "../../../../hw/tpm/emulator/state.ts";
import type { TpmStateStore } from "../../../../hw/tpm/emulator/state-store.ts";
import { aikRestrictedEcc, commands, TpmRh } from "../../../../shared/tpm/index.ts";
import { Bench } from "./support.ts";

const NONE = new Uint8Array(0);
const NV_INDEX = 0x01000001;
const KEY = 0x81000001;
/** The clock is written when it crosses a multiple of this. */
const CLOCK_STEP_MS = 4096;
const PUBLIC_INFO = { nvIndex: NV_INDEX, nameAlg: 0x0b, attributes: 0x02060006, authPolicy: NONE, dataSize: 4 };
const TEMPLATE = {
  inSensitive: { userAuth: NONE, data: NONE },
  inPublic: aikRestrictedEcc,
  outsideInfo: NONE,
  creationPCR: [],
};

export interface Kept {
  readonly nv: number;
  readonly key: boolean;
  readonly clock: bigint;
}

/** What is kept after steps 1 to `n`. */
export function keptAfter(n: number): Kept {
  const [turns, rest] = [Math.floor(n / 3), n % 3];
  return {
    nv: turns * 3,
    key: (turns + (rest > 0 ? 1 : 0)) % 2 === 1,
    clock: BigInt((turns + (rest > 1 ? 1 : 0)) * CLOCK_STEP_MS),
  };
}

export function keptIn({ indices, persistent, clock }: NvState): Kept {
  const data = indices.get(NV_INDEX)?.data ?? NONE;
  return { nv: Buffer.from(data).readUInt32BE(), key: persistent.has(KEY), clock };
}

export interface Steps {
  /** Returns when the TPM has answered. */
  take(n: number): void;
}

/** A TPM with power; step 0 makes what the others change. */
export function openSteps(state: TpmStateStore): Steps {
  const bench = new Bench(1, state).start();
  const { handle } = bench.must(commands.CreatePrimary, [TpmRh.OWNER], TEMPLATE);
  const write = (n: number) => {
    const data = Buffer.alloc(4);
    data.writeUInt32BE(n);
    bench.must(commands.NV_Write, [NV_INDEX, NV_INDEX], { data: new Uint8Array(data), offset: 0 });
  };
  const evict = (from: number) => bench.must(commands.EvictControl, [TpmRh.OWNER, from], { persistentHandle: KEY });
  return {
    take(n) {
      if (n === 0) bench.must(commands.NV_DefineSpace, [TpmRh.OWNER], { auth: NONE, publicInfo: PUBLIC_INFO });
      if (n % 3 === 0) write(n);
      else if (n % 3 === 1) evict(keptAfter(n).key ? handle : KEY);
      else {
        bench.clock.advance(CLOCK_STEP_MS);
        bench.must(commands.ReadClock, [], {});
      }
    },
  };
}
