/** Keys take longer than all the rest of a run: a few computers and one owner serve all seeds of a process. */
import { virtualPace } from "../../attester/cli/twin/pace.ts";
import { ownerForTwin, seededSource } from "../../attester/cli/twin/setup.ts";
import type { OwnerMaterial } from "../../attester/owner/index.ts";
import { createTpmClient, ensureAik, ensureEk } from "../../attester/tpm/index.ts";
import { createTpmEmulator } from "../../hw/tpm/emulator/index.ts";
import { createMemoryStateStore, type TpmStateStore } from "../../hw/tpm/emulator/state-store.ts";
import { manufactureTpm } from "../../hw/tpm/manufacture.ts";
import { createVendorCa } from "../../hw/tpm/vendor-ca.ts";
import type { Certificate } from "../../shared/x509/index.ts";
import { TestLog } from "../support/coap-pair.ts";
import type { KeyKind } from "./plan.ts";

const COMPUTERS = 3;

/** A TPM as its vendor sold it: each run starts from a copy. */
export interface SoldTpm {
  readonly ekRoot: Certificate;
  readonly state: Uint8Array;
}

const sold = new Map<string, Promise<SoldTpm>>();
let owner: OwnerMaterial | undefined;

/** The same for the same seed, in any process. All are of one vendor. One for RSA has its AIK already: that is what would take longest. */
export function tpmOf(seed: number, key: KeyKind): Promise<SoldTpm> {
  const number = seed % COMPUTERS;
  const name = `${key} ${number}`;
  const found = sold.get(name) ?? manufactured(number, key);
  sold.set(name, found);
  return found;
}

export function theOwner(): OwnerMaterial {
  owner ??= ownerForTwin(seededSource(0));
  return owner;
}

async function manufactured(number: number, key: KeyKind): Promise<SoldTpm> {
  const { random, calendar } = seededSource(number);
  const { clock } = virtualPace();
  let state = new Uint8Array();
  const memory = createMemoryStateStore();
  const store: TpmStateStore = {
    ...memory,
    save(next) {
      state = next.slice();
      memory.save(next);
    },
  };
  const { transport, platform } = createTpmEmulator({ random: random("tpm"), clock, state: store });
  const client = createTpmClient(transport, { random: random("manufacture"), log: new TestLog(), clock });
  await client.startUp({ platform, own: true });
  const today = calendar.today();
  const ca = createVendorCa({ random: seededSource(0).random("vendor"), today, key: "ecc" });
  const made = await client.turn((runner) => manufactureTpm(runner, { random: random("vendor"), today, ca }));
  if (!made.ok) throw new Error(made.detail);
  if (key === "rsa")
    await client.turn(async (runner) => ensureAik(runner, "restricted-rsa", await ensureEk(runner, "rsa")));
  await client.shutDown();
  return { ekRoot: made.root, state };
}
