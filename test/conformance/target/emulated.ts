import { prepareIdentity } from "../../../attester/flows/identity.ts";
import type { Log } from "../../../shared/ports/index.ts";
import { FakeAttester } from "../../support/fake-attester.ts";
import { type LaunchedTpm, launchTpm } from "../../support/launched-tpm.ts";
import { seededRandom } from "../../support/random.ts";
import { enrol } from "../flows.ts";
import { type Keys, makeKeys } from "../keys.ts";
import type { Lie } from "../lies/lie.ts";
import { type Machine, softwareMachine, tpmMachine } from "../machine.ts";
import { provisionToken } from "../owner.ts";
import { type Platform, platformOf } from "../platform.ts";
import type { ProfileName, Row, State } from "../row.ts";
import { Scene, sceneRandom } from "../scene.ts";
import { type EmulatorLink, emulate } from "./emulator.ts";
import type { Target } from "./target.ts";

const SILENT: Log = { write: () => undefined };

/** The suite's own owner and vendor: the same at every run. */
export const ownKeys: Keys = makeKeys(seededRandom(1, "conformance-keys"));

/** What all targets of this process share, for each profile: a machine, and the flash of a token in each state. */
interface Stock {
  readonly machine: Machine;
  readonly enrolled: Platform;
  readonly images: ReadonlyMap<string, Uint8Array>;
}

const stocks = new Map<ProfileName, Promise<Stock>>();

/** Provisions a token once over the wire; rows begin with copies of its flash. */
async function stockFor(profile: ProfileName): Promise<Stock> {
  const fake = new FakeAttester({
    aik: profile === "strict" ? "restricted-ecc" : "reference",
    ek: profile === "strict" ? "ecc" : "rsa",
    ...(ownKeys.vendor === undefined ? {} : { vendor: ownKeys.vendor }),
  });
  const machine = softwareMachine(fake);
  const enrolled = await platformOf(machine, "enrolled");
  const images = new Map<string, Uint8Array>();
  for (const small of [false, true]) {
    const stage = { ...(await emulate({ link: "net", profile, keys: ownKeys }, { small })), enrolled };
    const target: Target = { ...targetOf(profile, machine), stage: async () => stage };
    const scene = await Scene.on(target, stage, sceneRandom("stock"));
    await provisionToken(scene);
    images.set(imageName("owned", small), stage.image());
    await enrol(scene.me, enrolled);
    images.set(imageName("enrolled", small), stage.image());
    await scene.close();
    await stage.close();
  }
  return { machine, enrolled, images };
}

const imageName = (state: State, small: boolean): string => `${state}${small ? " small" : ""}`;

function targetOf(profile: ProfileName, machine: Machine): Omit<Target, "stage"> {
  return { name: "emulator", profile, keys: ownKeys, machine, stays: false, close: async () => undefined };
}

let launched: Promise<LaunchedTpm> | undefined;

/** An emulated TPM, manufactured by the suite's vendor and launched; one for the process. */
function launchedTpm(): Promise<LaunchedTpm> {
  const { vendor } = ownKeys;
  if (vendor === undefined) throw new Error("the suite has a vendor of its own");
  launched ??= launchTpm("conformance-tpm", vendor);
  return launched;
}

async function emulatedTpm(profile: ProfileName): Promise<Machine> {
  const { client: tpm } = await launchedTpm();
  return tpmMachine(tpm, await prepareIdentity({ tpm, profile, key: "rsa", log: SILENT }));
}

export interface EmulatedTargetOptions {
  readonly link: EmulatorLink;
  readonly profile: ProfileName;
  readonly lie?: Lie | undefined;
  readonly log?: Log | undefined;
}

/** Tokens in this process: a fresh one for each row, at the price of a copy of its flash. */
export async function emulatedTarget(options: EmulatedTargetOptions): Promise<Target> {
  const { profile, link } = options;
  const stock = stocks.get(profile) ?? stockFor(profile);
  stocks.set(profile, stock);
  const { images, machine, enrolled } = await stock;
  const target: Target & { tpm?: Machine | undefined } = {
    ...targetOf(profile, machine),
    name: link === "udp" ? "emulator-udp" : "emulator",
    async stage({ state, needs = [] }: Row) {
      if (needs.includes("tpm")) target.tpm ??= await emulatedTpm(profile);
      const small = needs.includes("small-flash");
      const image = state === "blank" ? undefined : images.get(imageName(state, small));
      return { ...(await emulate({ ...options, keys: ownKeys }, { image, small })), enrolled };
    },
  };
  return target;
}
