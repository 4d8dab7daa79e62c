import { Exit, Stop } from "../../../attester/cli/exit.ts";
import { simulateLaunch, withTpm } from "../../../attester/cli/own-tpm.ts";
import { prepareIdentity } from "../../../attester/flows/identity.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { type Keys, readKeys, readOwner } from "../keys.ts";
import { type Machine, softwareMachine, tpmMachine } from "../machine.ts";
import { facts } from "../platform.ts";
import type { ProfileName } from "../row.ts";

export interface MaterialArguments {
  readonly profile: ProfileName;
  readonly keys?: string | undefined;
  readonly chain?: string | undefined;
  readonly key?: string | undefined;
  readonly tpm?: string | undefined;
}

/** With what a token that somebody else runs is tried. */
export interface Material {
  readonly keys: Keys;
  readonly machine: Machine;
  readonly tpm?: Machine;
}

const log: Log = {
  write(level, message) {
    if (level === "warn" || level === "error") console.error(message);
  },
};

/** The TPM for as long as the rows run. A software TPM is launched: tokens ask for that. */
async function withMachine<T>(spec: string, profile: ProfileName, use: (machine: Machine) => Promise<T>): Promise<T> {
  return withTpm(spec, log, async (client, opened) => {
    const { manufacturer, product_name: productName, mac } = facts;
    const platform = { manufacturer, productName, mac, serialNumber: "conformance" };
    if (opened.platform !== undefined) await simulateLaunch(client, opened, platform, log);
    const identity = await prepareIdentity({ tpm: client, profile, key: "rsa", log });
    return use(tpmMachine(client, identity));
  });
}

/** Stop with a sentence when files or options are missing. */
export async function withMaterial<T>(args: MaterialArguments, use: (material: Material) => Promise<T>): Promise<T> {
  const { profile, keys: folder, chain, key, tpm } = args;
  if (folder !== undefined) {
    const keys = readKeys(folder);
    if (keys.vendor === undefined) throw new Stop(Exit.Usage, `${folder} holds no vendor`);
    const aik = profile === "strict" ? "restricted-ecc" : "reference";
    const machine = softwareMachine(new FakeAttester({ aik, vendor: keys.vendor }));
    if (tpm === undefined) return use({ keys, machine });
    return withMachine(tpm, profile, (real) => use({ keys, machine, tpm: real }));
  }
  if (chain === undefined || key === undefined || tpm === undefined) {
    throw new Stop(Exit.Usage, "a token of yours needs --keys DIR (see --write-roots), or --chain, --key and --tpm");
  }
  const keys: Keys = { owner: readOwner(chain, key) };
  return withMachine(tpm, profile, (machine) => use({ keys, machine, tpm: machine }));
}
