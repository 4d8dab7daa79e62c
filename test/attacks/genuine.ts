/** Computers with an emulated TPM that the tokens' vendor vouches for: what its keys sign is what a TPM signs, and nothing else. */
import { powerCycle } from "../../attester/dlme/index.ts";
import { type Identity, prepareIdentity } from "../../attester/flows/identity.ts";
import type { TpmClient } from "../../attester/tpm/index.ts";
import { utf8 } from "../../shared/bytes/index.ts";
import { digest } from "../../shared/crypto/index.ts";
import type { Log } from "../../shared/ports/index.ts";
import { TpmAlg } from "../../shared/tpm/index.ts";
import { type Machine, tpmMachine } from "../conformance/machine.ts";
import { ownKeys } from "../conformance/target/emulated.ts";
import { type LaunchedTpm, launch, launchTpm } from "../support/launched-tpm.ts";

const SILENT: Log = { write: () => undefined };

export interface Genuine extends LaunchedTpm {
  readonly identity: Identity;
  readonly machine: Machine;
}

let stock: Promise<LaunchedTpm> | undefined;

function theTpm(): Promise<LaunchedTpm> {
  const { vendor } = ownKeys;
  if (vendor === undefined) throw new Error("the suite has a vendor of its own");
  stock ??= launchTpm("attacks-tpm", vendor);
  return stock;
}

/** Off and on again, `orderly` or by a power cut, and launched as recorded. */
export async function reboot(tpm: LaunchedTpm, how: "orderly" | "cut" = "orderly"): Promise<void> {
  await powerCycle(tpm.client, tpm.platform, how);
  await launch(tpm);
}

/** The one TPM of this process, freshly booted; its key is the profile's. */
export async function genuine(profile: "strict" | "compat" = "strict"): Promise<Genuine> {
  const tpm = await theTpm();
  await reboot(tpm);
  const key = profile === "strict" ? "ecc" : "rsa"; // the reference knows RSA only
  const identity = await prepareIdentity({ tpm: tpm.client, profile, key, log: SILENT });
  return { ...tpm, identity, machine: tpmMachine(tpm.client, identity) };
}

/** Software that nobody recorded measures itself into PCR 0, which anybody may extend. */
export async function bootSomethingElse(client: TpmClient): Promise<void> {
  const unknown = digest("sha256", utf8("firmware that nobody recorded"));
  await client.extend(0, [{ hash: TpmAlg.SHA256, digest: unknown }]);
}
