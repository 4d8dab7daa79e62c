/** FG: evidence that no TPM made. */
import { decode, encode } from "../../../shared/bytes/index.ts";
import { type Evidence, type QuoteRequest, signedBytes } from "../../../shared/protocol/index.ts";
import { commands, NULL_SCHEME, TpmAlg, TpmRh, TpmSt, TpmsAttest } from "../../../shared/tpm/index.ts";
import { enrol, openAttestation } from "../../conformance/flows.ts";
import { type Platform, withByte } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import { Unmet } from "../../conformance/unmet.ts";
import type { Attack } from "../attack.ts";
import { bootSomethingElse, type Genuine, genuine } from "../genuine.ts";
import { attestsSaid, enrolledAttests, enrolSaid, evidenceSaid, refusedByTpm } from "../ways.ts";

/** A quote of PCRs that the TPM does not hold: the TPM's own of now, with the digest that `recorded` gave. */
function claimed(quoted: Uint8Array, recorded: Uint8Array): Uint8Array {
  const [now, then] = [decode(TpmsAttest, quoted), decode(TpmsAttest, recorded)];
  if (now.type !== TpmSt.ATTEST_QUOTE || then.type !== TpmSt.ATTEST_QUOTE) throw new Unmet("no quotes");
  return encode(TpmsAttest, { ...now, attested: then.attested });
}

/** A platform of a real TPM on this token, which then boots something else; `recorded` is a quote of before. */
async function bootsElse(scene: Scene, profile: "strict" | "compat") {
  const device = await genuine(profile);
  const platform = await scene.platform(device.machine);
  await enrol(scene.me, platform);
  const { request } = await openAttestation(scene.me, platform);
  const recorded = (await device.machine.quote(request)).data;
  await bootSomethingElse(device.client);
  return { device, platform, recorded };
}

async function forgery(device: Genuine, recorded: Uint8Array, request: QuoteRequest): Promise<Evidence> {
  const data = claimed((await device.machine.quote(request)).data, recorded);
  return { data, signature: await device.machine.sign(data) };
}

/** The honest platform of the real TPM, freshly booted. */
const genuineAttests = async (scene: Scene): Promise<string> => {
  const { machine } = await genuine();
  const platform = await scene.platform(machine);
  const peer = await scene.peer();
  await enrol(peer, platform);
  return attestsSaid(peer, platform);
};

const altered = async (scene: Scene, change: (evidence: Evidence, platform: Platform) => Promise<Evidence>) =>
  evidenceSaid(scene.me, scene.enrolled, async (request) =>
    change(await scene.enrolled.machine.quote(request), scene.enrolled),
  );

export const forgedAttacks: readonly Attack[] = [
  {
    id: "FG-01",
    title: "after another boot, have the restricted AIK sign a home-made TPMS_ATTEST",
    expected: "the TPM refuses, 0x3e0",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { device, platform, recorded } = await bootsElse(scene, "strict");
      const { request } = await openAttestation(scene.me, platform);
      return refusedByTpm(forgery(device, recorded, request));
    },
    control: genuineAttests,
  },
  {
    id: "FG-02",
    title: "the same, the TPM_GENERATED_VALUE hidden from TPM2_Hash in two pieces of a hash sequence",
    expected: "the TPM refuses, 0x3e0",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { client, identity, machine } = await genuine();
      const { data } = await machine.quote({
        nonce: scene.random.bytes(32),
        banks: [{ algo_id: TpmAlg.SHA256, pcrs: 1 }],
      });
      return refusedByTpm(
        client.turn(async (tpm) => {
          const auth = new Uint8Array();
          const { handle } = await tpm.run(commands.HashSequenceStart, {
            parameters: { auth, hashAlg: TpmAlg.SHA256 },
          });
          for (const buffer of [data.subarray(0, 2), data.subarray(2)]) {
            await tpm.run(commands.SequenceUpdate, { handles: [handle], parameters: { buffer } });
          }
          const { response } = await tpm.run(commands.SequenceComplete, {
            handles: [handle],
            parameters: { buffer: auth, hierarchy: TpmRh.OWNER },
          });
          const { result: digest, validation } = response;
          await tpm.run(commands.Sign, {
            handles: [identity.aik.handle],
            parameters: { digest, inScheme: NULL_SCHEME, validation },
          });
        }),
      );
    },
    control: genuineAttests,
  },
  {
    id: "FG-03",
    title: "enrol a key that signs anything",
    expected: "4.03 the AIK is not restricted, so evidence could be forged with it",
    honest: "2.04",
    state: "owned",
    async attack({ me, platform }) {
      const { machine } = await genuine("compat");
      return enrolSaid(me, await platform(machine));
    },
    control: genuineAttests,
  },
  {
    id: "FG-04",
    title: "compat: after another boot, sign a home-made TPMS_ATTEST with the reference's key",
    expected: "2.04",
    honest: "4.03 the PCRs are not as recorded",
    profile: "compat",
    state: "owned",
    async attack(scene) {
      const { device, platform, recorded } = await bootsElse(scene, "compat");
      return evidenceSaid(scene.me, platform, (request) => forgery(device, recorded, request));
    },
    async control(scene) {
      const { platform } = await bootsElse(scene, "compat");
      return attestsSaid(scene.me, platform);
    },
  },
  {
    id: "FG-05",
    title: "sign the quote with another key than the enrolled AIK",
    expected: "4.03 the evidence is not signed by the AIK of this platform",
    honest: "2.04",
    attack: (scene) =>
      altered(scene, async ({ data }) => {
        const other = scene.softwareMachine({ aik: "restricted-rsa" });
        return { data, signature: await other.sign(data) };
      }),
    control: enrolledAttests,
  },
  {
    id: "FG-06",
    title: "change the PCR digest in a quote that was signed",
    expected: "4.03 the evidence is not signed by the AIK of this platform",
    honest: "2.04",
    attack: (scene) =>
      altered(scene, async ({ data, signature }) => ({ data: withByte(data, -1, (byte) => byte ^ 1), signature })),
    control: enrolledAttests,
  },
  {
    id: "FG-07",
    title: "send metadata that the AIK signed as if it were evidence",
    expected: "4.03 what was signed is not a quote made by the TPM",
    honest: "2.04",
    attack: (scene) =>
      altered(scene, async (_quote, { machine, metadata }) => {
        const data = signedBytes(metadata, scene.random.bytes(32));
        return { data, signature: await machine.sign(data) };
      }),
    control: enrolledAttests,
  },
  {
    id: "FG-08",
    title: "send the quote of this boot as reference values of a platform",
    expected: "4.00 the reference values are not what the protocol says",
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const platform = await scene.platform();
      const { data } = await platform.machine.quote({
        nonce: scene.random.bytes(32),
        banks: [{ algo_id: TpmAlg.SHA256, pcrs: 0x0006_00ff }],
      });
      return enrolSaid(scene.me, { ...platform, rim: data });
    },
    control: async ({ peer, platform }) => enrolSaid(await peer(), await platform()),
  },
];
