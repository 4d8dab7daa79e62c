/** Tokens whose flash the attacker has had in hand: images taken out, edited by whoever knows docs/storage-format.md, put back. */
import { createRamFlash } from "../../hw/flash/index.ts";
import { utf8 } from "../../shared/bytes/index.ts";
import type { EnrolmentRule } from "../../token/domain/domain.ts";
import type { Store } from "../../token/domain/store.ts";
import { openStore } from "../../token/storage/index.ts";
import { expect } from "../conformance/answer.ts";
import { attest, enrol, write } from "../conformance/flows.ts";
import { provisionToken } from "../conformance/owner.ts";
import { type Platform, platformOf } from "../conformance/platform.ts";
import type { ProfileName } from "../conformance/row.ts";
import { Scene, sceneRandom } from "../conformance/scene.ts";
import { emulatedTarget, ownKeys } from "../conformance/target/emulated.ts";
import { type EmulatedStage, emulate } from "../conformance/target/emulator.ts";

export const FILE = utf8("a secret of thirty-two bytes....");

export interface Bench {
  readonly scene: Scene;
  readonly stage: EmulatedStage;
  readonly platform: Platform;
}

interface TokenOptions {
  readonly profile?: ProfileName;
  readonly image?: Uint8Array;
  readonly enrols?: EnrolmentRule;
}

/** Uses a token that begins with this image; a new one that knows its owner, a platform and a file without one. */
export async function withToken<T>(
  { profile = "strict", image, enrols }: TokenOptions,
  use: (bench: Bench) => Promise<T>,
): Promise<T> {
  const target = await emulatedTarget({ link: "usb", profile });
  const platform = await platformOf(target.machine, "benched");
  const stage = await emulate({ link: "usb", profile, keys: ownKeys, enrols }, { image });
  try {
    const scene = await Scene.on(target, { ...stage, enrolled: platform }, sceneRandom("flash"));
    if (image === undefined) await fill(scene, platform);
    try {
      return await use({ scene, stage, platform });
    } finally {
      await scene.close();
    }
  } finally {
    await stage.close();
  }
}

async function fill(scene: Scene, platform: Platform): Promise<void> {
  await provisionToken(scene);
  await enrol(scene.me, platform);
  await attest(scene.me, platform);
  expect(await write(scene.me, platform, "key", FILE), "2.01");
}

/** The image of such a token. */
export const imageOf = (profile: ProfileName = "strict"): Promise<Uint8Array> =>
  withToken({ profile }, async ({ stage }) => stage.image());

/** The image after these changes, all checksums right: what anybody can do who has this program. */
export function edited(image: Uint8Array, change: (store: Store) => ReadonlyMap<string, Uint8Array>): Uint8Array {
  const flash = createRamFlash(undefined, image);
  const store = openStore(flash);
  store.commit(change(store));
  return flash.image();
}
