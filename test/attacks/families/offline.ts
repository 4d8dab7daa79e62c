/** FL: the token's flash in other hands. It is not encrypted: what the token notices, and what nobody can. */
import { createRamFlash } from "../../../hw/flash/index.ts";
import { CodecError, equal } from "../../../shared/bytes/index.ts";
import { decodeCbor, decodeItem, encodeCbor, encodeItem } from "../../../shared/cbor/index.ts";
import { digest } from "../../../shared/crypto/index.ts";
import { PlatformRemove, Rim, V1 } from "../../../shared/protocol/index.ts";
import { pcrDigest, TpmAlg } from "../../../shared/tpm/index.ts";
import { openStore, StorageError } from "../../../token/storage/index.ts";
import { expect } from "../../conformance/answer.ts";
import { asOwner, file, startAttestation } from "../../conformance/flows.ts";
import { forged, otherRim, type Platform, platformOf } from "../../conformance/platform.ts";
import { emulatedTarget } from "../../conformance/target/emulated.ts";
import { ca, p256 } from "../../support/x509.ts";
import type { Attack } from "../attack.ts";
import { type Bench, edited, FILE, imageOf, withToken } from "../flash.ts";
import { attestsSaid, said } from "../ways.ts";
import { leafOf, sendChain } from "./certificates.ts";

const NONE = new Uint8Array();

/** One attack on an image: the scene's own token plays no part. */
function offline(
  id: string,
  title: string,
  expected: string,
  honest: string,
  run: Pick<Attack, "attack" | "control">,
): Attack {
  return { id, title, expected, honest, state: "blank", ...run };
}

const attests = ({ scene, platform }: Bench): Promise<string> => attestsSaid(scene.me, platform);
const opens = async ({ scene, platform }: Bench): Promise<string> => said(await startAttestation(scene.me, platform));

/** The platform's record with other reference values. */
const withRim = (image: Uint8Array, rim: Uint8Array): Uint8Array =>
  edited(image, (store) => {
    const [key = ""] = store.keys("platform/");
    const record = decodeItem(store.get(key) ?? new Uint8Array());
    if (!(record instanceof Map)) throw new Error("no record");
    return new Map([[key, encodeItem(new Map([...record, ["rim", rim]]))]]);
  });

/** The computer with another PCR 18: its quote is of what `otherRim` says. */
function changedComputer(platform: Platform): Platform {
  const { rim, machine } = platform;
  const banks = decodeCbor(Rim, otherRim(rim)).banks.map(({ algo_id, pcrs, pcr }) => ({
    hash: algo_id,
    pcrSelect: pcrs,
    values: pcr,
  }));
  const quote: Platform["machine"]["quote"] = (request) =>
    forged(machine, request, ({ attested, ...rest }) => {
      const { pcrSelect } = attested;
      return { ...rest, attested: { pcrSelect, pcrDigest: pcrDigest(TpmAlg.SHA256, pcrSelect, banks) ?? NONE } };
    });
  return { ...platform, machine: { ...machine, quote } };
}

/** Every so many bits one flip, each in a copy of its own: a prime, so that all fields are met. */
const EVERY_BITS = 197;

/** What storage says after flips that repair no checksum. */
function flips(image: Uint8Array): string {
  const before = new Map(
    openStore(createRamFlash(undefined, image))
      .keys("")
      .map((key) => [key, valueIn(image, key)]),
  );
  let changed = 0;
  let refused = 0;
  const used = image.findLastIndex((byte) => byte !== 0xff) + 1;
  for (let bit = 0; bit < 8 * used; bit += EVERY_BITS) {
    const copy = image.slice();
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const store = opened(copy);
    if (store === undefined) refused++;
    else if (
      store.keys("").some((key) => !equal(store.get(key) ?? new Uint8Array(), before.get(key) ?? new Uint8Array()))
    )
      changed++;
  }
  if (changed > 0) return `${changed} values changed`;
  return refused > 0 ? "no value changed, most flips refused" : "nothing refused";
}

function valueIn(image: Uint8Array, key: string): Uint8Array {
  return openStore(createRamFlash(undefined, image)).get(key) ?? new Uint8Array();
}

function opened(image: Uint8Array) {
  try {
    return openStore(createRamFlash(undefined, image));
  } catch (error) {
    if (error instanceof StorageError || error instanceof CodecError) return undefined;
    throw error;
  }
}

const holds = (image: Uint8Array): string =>
  Buffer.from(image).includes(Buffer.from(FILE)) ? "the file is in the image" : "nothing of it";

const evilVendor = ca({ name: "evil vendor", key: p256("evil vendor") });

export const offlineAttacks: readonly Attack[] = [
  offline("FL-01", "read a file in the flash image", "the file is in the image", "4.04 not attested", {
    attack: async () => holds(await imageOf()),
    control: async () =>
      withToken({ image: await imageOf() }, async ({ scene }) => said(await scene.me.get(file("key")))),
  }),
  offline("FL-02", "look for it after a wipe", "nothing of it", "the file is in the image", {
    async attack() {
      const flash = createRamFlash(undefined, await imageOf());
      openStore(flash).wipe("root/"); // what the token's button does
      return holds(flash.image());
    },
    control: async () => holds(await imageOf()),
  }),
  offline("FL-03", "flip bits of the image", "no value changed, most flips refused", "2.04", {
    attack: async () => flips(await imageOf()),
    control: async () => withToken({ image: await imageOf() }, attests),
  }),
  offline(
    "FL-04",
    "write other reference values into the image, with right checksums",
    "2.04",
    "4.03 the PCRs are not",
    {
      attack: async () => {
        const image = await imageOf();
        return withToken({ image }, async ({ platform }) =>
          withToken({ image: withRim(image, otherRim(platform.rim)) }, async ({ scene }) =>
            attestsSaid(scene.me, changedComputer(platform)),
          ),
        );
      },
      control: async () =>
        withToken({ image: await imageOf() }, async ({ scene, platform }) =>
          attestsSaid(scene.me, changedComputer(platform)),
        ),
    },
  ),
  offline(
    "FL-05",
    "write the root of a vendor of one's own into the image",
    "2.01",
    "4.03 the TPM's EK certificate does not lead",
    {
      attack: async () => {
        const root = evilVendor.certificate.der;
        const image = edited(await imageOf(), () => new Map([["root/ek/0", root]]));
        return withToken({ image }, ({ scene }) => sendChain(scene, [leafOf(evilVendor)]));
      },
      control: async () => withToken({ image: await imageOf() }, ({ scene }) => sendChain(scene, [leafOf(evilVendor)])),
    },
  ),
  offline(
    "FL-06",
    "put an old image back, to have a platform again that the owner removed",
    "2.04",
    "4.04 this platform is not enrolled",
    {
      attack: async () => withToken({ image: await imageOf() }, attests),
      control: async () => withToken({ image: await removed() }, opens),
    },
  ),
  offline(
    "FL-07",
    "copy the state of a token into a second one",
    "2.04 and 2.04",
    "4.04 the token is not provisioned",
    {
      async attack() {
        const image = await imageOf();
        return withToken({ image }, async (one) =>
          withToken({ image }, async (other) => `${await attests(one)} and ${await attests(other)}`),
        );
      },
      control: async () => withToken({ image: blank(await imageOf()) }, opens),
    },
  ),
  offline(
    "FL-08",
    "swap the image for that of another token of the same owner",
    "4.04 this platform is not enrolled",
    "2.04",
    {
      attack: async () => withToken({ image: await removed() }, opens),
      control: async () => withToken({ image: await imageOf() }, attests),
    },
  ),
  offline(
    "FL-09",
    "erase the flash, and pass the token off as the old one",
    "4.04 the token is not provisioned",
    "2.01",
    {
      attack: async () => withToken({ image: blank(await imageOf()) }, opens),
      control: async () => withToken({ image: await imageOf() }, opens),
    },
  ),
  offline(
    "FL-10",
    "bring a platform that compat enrolled with a key that signs anything to strict",
    "4.03 the AIK on record is not restricted",
    "2.04",
    {
      async attack() {
        const image = await imageOf("compat");
        const { machine } = await emulatedTarget({ link: "usb", profile: "compat" });
        const platform = await platformOf(machine, "benched");
        return withToken({ image }, ({ scene }) => attestsSaid(scene.me, platform));
      },
      control: async () => withToken({ image: await imageOf() }, attests),
    },
  ),
];

const blank = (image: Uint8Array): Uint8Array => new Uint8Array(image.byteLength).fill(0xff);

/** The image after the owner removed the platform. */
const removed = async (): Promise<Uint8Array> =>
  withToken({ image: await imageOf() }, async ({ scene, stage, platform }) => {
    const body = encodeCbor(PlatformRemove, { id: digest("sha256", platform.metadata) });
    const request = { method: "POST", path: `${V1.PLATFORMS}/remove`, body } as const;
    expect(await asOwner(scene.me, scene.keys.owner.issuing, scene.random, request), "2.02");
    return stage.image();
  });
