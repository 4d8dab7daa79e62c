/** ID: keys and names that are not one TPM's. */
import { decode, encode, utf8 } from "../../../shared/bytes/index.ts";
import { SESSION_MS, V1 } from "../../../shared/protocol/index.ts";
import { Tpm2bPublic, TpmAlg, TpmaObjectBit, type TpmtPublic } from "../../../shared/tpm/index.ts";
import { expect } from "../../conformance/answer.ts";
import {
  activate,
  aikBody,
  attest,
  context,
  enrol,
  offered,
  openContext,
  postSigned,
  read,
  sendEk,
  sendMeta,
  write,
} from "../../conformance/flows.ts";
import type { Machine } from "../../conformance/machine.ts";
import { otherRim, withByte } from "../../conformance/platform.ts";
import type { Scene } from "../../conformance/scene.ts";
import { Unmet } from "../../conformance/unmet.ts";
import type { Attack } from "../attack.ts";
import { withToken } from "../flash.ts";
import { bootSomethingElse, genuine } from "../genuine.ts";
import { attestsSaid, enrolledAttests, enrolSaid, said } from "../ways.ts";

const NO_PROOF = "4.03 the TPM did not prove that AIK and EK are its own";
/** How long the red of a verdict, and a newcomer's blinks, are shown at most. */
const [RED_MS, BLINKS_MS] = [5_000, 1_000];
const NO_AIK = "4.03 the AIK is not the kind of key that this profile accepts";

const enrols = async ({ peer, platform }: Scene): Promise<string> => enrolSaid(await peer(), await platform());

/** A public area that is not the AIK's, with an EK of the vendor: what the token says of it. */
function offering(
  id: string,
  title: string,
  expected: string,
  aik: (own: TpmtPublic, scene: Scene) => TpmtPublic | Promise<TpmtPublic>,
): Attack {
  return {
    id,
    title,
    expected,
    honest: "2.04",
    state: "owned",
    async attack(scene) {
      const { me, machine } = scene;
      const area = await aik(decode(Tpm2bPublic, machine.aikPublic), scene);
      return said(await me.post(V1.AIK, aikBody(encode(Tpm2bPublic, area), await sendEk(me, machine))));
    },
    control: enrols,
  };
}

/** A machine made of parts of two. */
function mixed(id: string, title: string, parts: (scene: Scene) => Promise<Machine>): Attack {
  return {
    id,
    title,
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    attack: async (scene) => enrolSaid(scene.me, await scene.platform(await parts(scene))),
    control: async (scene) => enrolSaid(await scene.peer(), await scene.platform((await genuine()).machine)),
  };
}

/** What TPM2_ActivateCredential is answered with, as the secret. */
function guessing(id: string, title: string, guess: (secret: Uint8Array) => Uint8Array): Attack {
  return {
    id,
    title,
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    async attack({ me, machine }) {
      const keys = await offered(me, machine);
      return said(await activate(me, { ...keys, secret: guess(keys.secret) }));
    },
    control: enrols,
  };
}

const KEY = utf8("the disk's key, thirty-two bytes");

/**
 * The TPM is of a trusted vendor, so whatever it booted may be enrolled, and then is as it was enrolled: green says that one of the platforms
 * is here which the token knows, not which, and there is no telling a newcomer from a machine that changed its name. Reference values and files
 * of the one that was enrolled before stay its own. With `--enrol first`, in the control, the token takes no newcomer.
 */
async function anotherBootEnrolsItself(scene: Scene): Promise<string> {
  const { me } = scene;
  const { machine, client } = await genuine();
  const recorded = await scene.platform(machine);
  await enrol(me, recorded);
  await attest(me, recorded);
  expect(await write(me, recorded, "key", KEY), "2.01");
  await me.silentFor(SESSION_MS + 1); // the machine is started anew
  await bootSomethingElse(client);
  const other = await scene.peer();
  const asItself = await attestsSaid(other, recorded);
  await scene.wait(RED_MS);
  const newcomer = await scene.platform(machine);
  await enrol(other, newcomer);
  const verdict = await attestsSaid(other, newcomer);
  await scene.wait(BLINKS_MS);
  const { lamps } = scene;
  const key = said(await read(other, newcomer, "key"));
  return `as itself ${asItself}, as a newcomer ${verdict}, lamps ${lamps}; the file ${key}`;
}

const without = (bit: number) => (own: TpmtPublic) => ({ ...own, objectAttributes: own.objectAttributes & ~bit });

function rsaOf(area: TpmtPublic) {
  if (area.type !== TpmAlg.RSA) throw new Unmet("no RSA key");
  return area;
}
function eccOf(area: TpmtPublic) {
  if (area.type !== TpmAlg.ECC) throw new Unmet("no ECC key");
  return area;
}

export const enrolmentAttacks: readonly Attack[] = [
  offering("ID-01", "offer the EK in the place of the AIK", NO_AIK, async () => {
    const { identity } = await genuine();
    return identity.ek.publicArea;
  }),
  mixed("ID-02", "offer the EK of a real TPM with an AIK of one's own in software", async (scene) => {
    const [{ machine: real }, own] = [await genuine(), scene.softwareMachine()];
    return { ...own, ekChain: real.ekChain, activate: (challenge) => real.activate(challenge) };
  }),
  mixed("ID-03", "offer the AIK of a real TPM with the EK of another", async (scene) => {
    const [{ machine: real }, own] = [await genuine(), scene.softwareMachine()];
    return { ...real, ekChain: own.ekChain, activate: (challenge) => own.activate(challenge) };
  }),
  guessing("ID-04", "answer the credential's challenge with zeros", (secret) => new Uint8Array(secret.byteLength)),
  guessing("ID-05", "answer it with nothing", () => new Uint8Array()),
  guessing("ID-06", "answer it with the first half of the secret", (secret) => secret.slice(0, 16)),
  {
    id: "ID-07",
    title: "answer the challenge for one AIK with the secret that was made for another",
    expected: NO_PROOF,
    honest: "2.04",
    state: "owned",
    async attack({ me, machine }) {
      const [one, other] = [await offered(me, machine), await offered(me, machine)];
      return said(await activate(me, { ...one, secret: other.secret }));
    },
    control: enrols,
  },
  offering("ID-08", "offer an AIK that may leave its TPM (no fixedTPM)", NO_AIK, without(TpmaObjectBit.FIXED_TPM)),
  offering(
    "ID-09",
    "offer an AIK that came from outside the TPM (no sensitiveDataOrigin)",
    NO_AIK,
    without(TpmaObjectBit.SENSITIVE_DATA_ORIGIN),
  ),
  offering("ID-10", "offer an RSA AIK with exponent 3", NO_AIK, (_own, scene) => {
    const area = rsaOf(scene.software({ aik: "restricted-rsa" }).aikPublic);
    return { ...area, parameters: { ...area.parameters, exponent: 3 } };
  }),
  offering("ID-11", "offer a P-256 AIK whose point is not on the curve", NO_AIK, (own) => {
    const area = eccOf(own);
    return { ...area, unique: { x: area.unique.x, y: area.unique.x } };
  }),
  {
    id: "ID-12",
    title: "enrol under the name of a platform that is enrolled",
    expected: "4.03 this platform is already enrolled",
    honest: "2.04",
    attack: ({ me, enrolled, softwareMachine }) =>
      enrolSaid(me, { ...enrolled, machine: softwareMachine({ aik: "restricted-rsa" }) }),
    control: enrolledAttests,
  },
  {
    id: "ID-13",
    title: "put metadata that another key signed into one's context",
    expected: "4.03 the metadata is not signed by the AIK",
    honest: "2.04",
    state: "owned",
    async attack({ me, machine, platform, softwareMachine }) {
      const id = await openContext(me, machine);
      const other = softwareMachine({ aik: "restricted-rsa" });
      return said(await postSigned(me, other, context(id, "/meta"), (await platform()).metadata));
    },
    control: enrols,
  },
  {
    id: "ID-14",
    title: "finish a platform without reference values",
    expected: "4.03 RIM is missing",
    honest: "2.04",
    state: "owned",
    async attack({ me, machine, platform }) {
      const id = await openContext(me, machine);
      await sendMeta(me, id, await platform());
      return said(await me.post(context(id)));
    },
    control: enrols,
  },
  {
    id: "ID-15",
    title: "use the EK that another peer sent",
    expected: "4.04 no such EK",
    honest: "2.04",
    state: "owned",
    async attack({ me, peer, machine }) {
      const ek = await sendEk(await peer(), machine);
      return said(await me.post(V1.AIK, aikBody(machine.aikPublic, ek)));
    },
    control: enrols,
  },
  {
    id: "ID-16",
    title: "attest as an enrolled platform with another TPM of the same vendor",
    expected: "4.04 this platform is not enrolled, or another key signed for it",
    honest: "2.04",
    async attack({ me, enrolled }) {
      const { machine } = await genuine();
      return said(await postSigned(me, machine, V1.ATTEST, enrolled.metadata));
    },
    control: enrolledAttests,
  },
  offering("ID-17", "offer an RSA AIK with an even modulus", NO_AIK, (_own, scene) => {
    const area = rsaOf(scene.software({ aik: "restricted-rsa" }).aikPublic);
    return { ...area, unique: withByte(area.unique, -1, (byte) => byte & 0xfe) };
  }),
  {
    id: "ID-18",
    title: "boot an enrolled machine with something else, enrol that under another serial number, and attest",
    expected: "as itself 4.03 the PCRs are not as recorded, as a newcomer 2.04, lamps G; the file 4.04 no such file",
    honest: "4.03 the token enrols no further platform",
    state: "owned",
    attack: anotherBootEnrolsItself,
    control: () =>
      withToken({ enrols: "first" }, async ({ scene, platform }) => {
        const other = await scene.platform(platform.machine);
        return enrolSaid(scene.me, { ...other, rim: otherRim(other.rim) });
      }),
  },
  {
    id: "ID-19",
    title: "enrol another boot of an enrolled machine under the same name, its metadata encoded otherwise",
    expected: "4.03 this platform is already enrolled",
    honest: "2.04",
    attack: ({ me, enrolled, inOtherBytes }) =>
      enrolSaid(me, { ...inOtherBytes(enrolled), rim: otherRim(enrolled.rim) }),
    control: enrolledAttests,
  },
];
